// expect: altmin: a layer overrides output\(\), forward\(\) and backward\(\) of LayerInterface
#include <altmin/altmin.hpp>

struct Double {
  static constexpr const char* name = "Double";

  template <class Scalar>
  class Layer : public altmin::LayerBase<Layer<Scalar>, Scalar> {
   public:
    using Config = Double;
    static constexpr altmin::LayerTraits layer_traits{};

    Layer(const Double&, altmin::Shape input) : shape_{input} {}
    Double config() const { return {}; }
    altmin::Shape output() const override { return shape_; }

    void forward(const altmin::Worker<Scalar>&, const altmin::Point<Scalar>& at) const override {
      altmin::View<Scalar>{at.y} = Scalar(2) * at.x;
    }
#ifdef VALID
    void backward(const altmin::Worker<Scalar>&, const altmin::Point<Scalar>&, altmin::ConstView<Scalar> dy,
                  altmin::View<Scalar> dx) const override {
      dx = Scalar(2) * dy;
    }
#endif

   private:
    altmin::Shape shape_;
  };

  template <class Visit, class... Self>
  static void fields(Visit&&, Self&...) {}
};

void build(altmin::Layers<float>& layers) { layers.add(altmin::Dense{4}).add(Double{}); }
