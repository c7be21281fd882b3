// expect: altmin: add\(\) takes a layer of the library, or one named in Layers<Scalar, YourLayer>
#include <altmin/altmin.hpp>

struct Double {
  template <class Scalar>
  class Layer : public altmin::ElementwiseLayer<Layer<Scalar>, Scalar> {
   public:
    using Config = Double;
    static constexpr const char* name = "Double";

    Layer(const Double&, altmin::Shape input) : altmin::ElementwiseLayer<Layer, Scalar>{input} {}
    Double config() const { return {}; }

    template <class X>
    auto value(const X& x) const {
      return Scalar(2) * x;
    }
    template <class X, class Y, class D>
    auto slope_times(const X&, const Y&, const D& dy) const {
      return Scalar(2) * dy;
    }
    template <class X, class Y, class D, class M>
    auto change(const X&, const Y&, const D& dx, const M&) const {
      return Scalar(2) * dx;
    }
  };

  friend bool operator==(const Double&, const Double&) { return true; }
};

#ifdef VALID
using Layers = altmin::Layers<float, Double>;
#else
using Layers = altmin::Layers<float>;
#endif

void build(Layers& layers) { layers.add(altmin::Dense{4}).add(Double{}); }
