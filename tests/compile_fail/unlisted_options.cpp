// expect: altmin: the options of a layer list their fields\(\)
#include <altmin/altmin.hpp>

struct Scaled {
  static constexpr const char* name = "Scaled";

  template <class Scalar>
  class Layer;

  double factor = 1;

#ifdef VALID
  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("factor", self.factor...);
  }
#else
  friend bool operator==(const Scaled& a, const Scaled& b) { return a.factor == b.factor; }
#endif
};

template <class Scalar>
class Scaled::Layer : public altmin::ElementwiseLayer<Layer<Scalar>, Scalar> {
 public:
  using Config = Scaled;

  Layer(const Scaled& config, altmin::Shape input) : altmin::ElementwiseLayer<Layer, Scalar>{input}, config_{config} {}
  const Scaled& config() const { return config_; }

  template <class X>
  auto value(const X& x) const {
    return x;
  }
  template <class X, class Y, class D>
  auto slope_times(const X&, const Y&, const D& dy) const {
    return dy;
  }
  template <class X, class Y, class D, class M>
  auto change(const X&, const Y&, const D& dx, const M&) const {
    return dx;
  }

 private:
  Scaled config_;
};

void build(altmin::Layers<float>& layers) { layers.add(Scaled{}); }
