/// Trains a network on MNIST, or on any data set in its format.

#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <string>

#include "trainer/files.hpp"
#include "trainer/run.hpp"
#include "trainer/train.hpp"

namespace {

trainer::Data load(const std::string& path) {
  const auto directory = trainer::data_folder(
      path, "mnist", ", such as /usr/share/datasets/fashion-mnist of Debian's package dataset-fashion-mnist");
  auto data = altmin::load_idx<float>(directory);
  altmin::Standardizer<float>::constant(0.1307, 0.3081).apply(data);
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  using trainer::Options;
  return trainer::run<Options>(
      argc, argv, "mnist", "Trains a network on MNIST, or on a data set in its format.",
      [](const Options& options) { return trainer::train("mnist", options, [&] { return load(options.data); }); });
}
