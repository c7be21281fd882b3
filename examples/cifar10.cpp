/// Trains a network on CIFAR-10.

#include <CLI/CLI.hpp>
#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#include <string>

#include "trainer/files.hpp"
#include "trainer/run.hpp"
#include "trainer/train.hpp"

namespace {

struct Options : trainer::Options {
  bool augment = false;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    trainer::Options::fields(visit, self...);
    visit("augment", self.augment...);
  }
};

void add_flags(CLI::App& app, Options& options) {
  trainer::add_flags(app, options);
  app.add_flag("--augment,!--no-augment", options.augment,
               "train on random crops and mirror images (default: without)");
}

trainer::Data load(const std::string& path) {
  auto data = altmin::load_cifar10<float>(trainer::data_folder(path, "cifar10"));
  altmin::Standardizer<float>::channels({0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}).apply(data);
  return data;
}

int train(const Options& options) {
  const altmin::Augmentation augmentation{4, true};
  return trainer::train(
      "cifar10", options, [&] { return load(options.data); }, options.augment ? augmentation : altmin::Augmentation{});
}

}  // namespace

int main(int argc, char** argv) {
  return trainer::run<Options>(argc, argv, "cifar10", "Trains a network on CIFAR-10.", train);
}
