// expect: altmin: options that go into a file are listed by fields\(\)
#include <altmin/altmin.hpp>
#include <altmin/io.hpp>

struct Scaled : altmin::MeanSquaredError {
  static constexpr const char* name = "Scaled";

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

std::string save(const altmin::Network<float, Scaled>& net) { return altmin::format_model(net); }
