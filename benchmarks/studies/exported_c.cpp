/// exported_c: predictions of one sample by export_c()'s source beside the library's own, for 784-100-100-10 in float
/// (ReLU) and packed into bits (signs). Compiles the source with cc -O3 -march=native, loads it, and takes turns;
/// prints a table in Markdown: medians of 31 rounds in microseconds, and bytes of code and constants. Links dl.

#include <dlfcn.h>

#include <algorithm>
#include <altmin/altmin.hpp>
#include <altmin/deploy.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

using altmin::Index;
using altmin::Matrix;

/// Microseconds of a call, the mean of many.
template <class Call>
double time(Call&& call) {
  constexpr int calls = 200;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / calls;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// What a program prints.
std::string output(const std::string& command) {
  std::string text;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw altmin::Error("cannot run " + command);
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  if (pclose(pipe) != 0) throw altmin::Error("failed: " + command);
  return text;
}

template <class Net, class Own>
void compare(const std::string& name, const Net& net, Own&& own) {
  const altmin::detail::TemporaryFolder folder;
  const std::string source = folder.file("net.c");
  const std::string object = folder.file("net.o");
  const std::string library = folder.file("net.so");
  altmin::export_c(net, source);
  output("cc -std=c99 -O3 -march=native -fPIC -c " + source + " -o " + object);
  output("cc -shared " + object + " -lm -o " + library);
  const std::string bytes = output("size " + object + " | awk 'NR == 2 {printf \"%d\", $1 + $2}'");
  void* const handle = dlopen(library.c_str(), RTLD_NOW);
  if (handle == nullptr) throw altmin::Error(dlerror());
  const auto predict = reinterpret_cast<void (*)(const float*, float*)>(dlsym(handle, "net_predict"));
  altmin::Random random{altmin::Seed{1}};
  Matrix<float> x(784, 1);
  for (Index i = 0; i < x.size(); ++i) x(i) = static_cast<float>(random.uniform() - 0.5);
  float y[10];
  std::vector<double> exported;
  std::vector<double> library_own;
  for (int round = 0; round < 31; ++round) {
    exported.push_back(time([&] { predict(x.data(), y); }));
    library_own.push_back(time([&] { own(x); }));
  }
  std::cout << "| " << name << " | " << altmin::detail::fixed(median(exported), 1) << " | "
            << altmin::detail::fixed(median(library_own), 1) << " | " << bytes << " |\n";
  dlclose(handle);
}

}  // namespace

int main() try {
  std::cout << "| 784-100-100-10 | exported C, us | library, us | bytes |\n|---|---:|---:|---:|\n";
  altmin::Layers<float> layers{784};
  layers.add(altmin::Dense{100}).add(altmin::Relu{}).add(altmin::Dense{100}).add(altmin::Relu{});
  altmin::Network<float> net{layers.add(altmin::Dense{10}), altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{},
                             altmin::Seed{1}};
  net.set_threads(1);
  compare("float", net, [&](const Matrix<float>& x) { return net.predict_one(x)(0, 0); });

  altmin::Layers<float> signs{784};
  signs.add(altmin::Sign{}).add(altmin::BinaryDense{100}).add(altmin::Sign{}).add(altmin::BinaryDense{100});
  signs.add(altmin::Sign{}).add(altmin::BinaryDense{10});
  altmin::Network<float> binary{signs, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{1}};
  const auto packed = altmin::pack(binary);
  compare("signs, in bits", packed, [&](const Matrix<float>& x) { return packed.predict(x)(0, 0); });
  return 0;
} catch (const std::exception& error) {
  std::cerr << "exported_c: " << error.what() << '\n';
  return 1;
}
