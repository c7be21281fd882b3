// peer/libtorch-adam/...: a step of LibTorch's Adam on the same nets, where LibTorch is found (Debian: libtorch-dev).
// It uses the threads that it chooses.

#include <torch/torch.h>

#include <memory>

#include "nets.hpp"

namespace {

using bench::field;
using bench::Index;
using bench::Model;

torch::nn::Sequential sequential(const Model& model) {
  namespace nn = torch::nn;
  torch::nn::Sequential net;
  if (model.lenet) {
    return nn::Sequential{nn::Unflatten(nn::UnflattenOptions(1, {1, 28, 28})),
                          nn::Conv2d(nn::Conv2dOptions(1, 6, 5)),
                          nn::MaxPool2d(2),
                          nn::ReLU(),
                          nn::Conv2d(nn::Conv2dOptions(6, 16, 5)),
                          nn::MaxPool2d(2),
                          nn::ReLU(),
                          nn::Flatten(),
                          nn::Linear(256, 120),
                          nn::ReLU(),
                          nn::Linear(120, 84),
                          nn::ReLU(),
                          nn::Linear(84, 10)};
  }
  for (std::size_t i = 0; i + 1 < model.sizes.size(); ++i) {
    net->push_back(torch::nn::Linear(model.sizes[i], model.sizes[i + 1]));
    if (i + 2 == model.sizes.size()) break;
    if (model.batch_norm) net->push_back(torch::nn::BatchNorm1d(model.sizes[i + 1]));
    net->push_back(torch::nn::ReLU());
  }
  return net;
}

void add_peer(const Model& model) {
  bench::add("peer/libtorch-adam/" + model.name + field("batch", model.batch), [=](benchmark::State& state) {
    torch::manual_seed(1);
    auto net = sequential(model);
    torch::optim::Adam optimizer{net->parameters(), torch::optim::AdamOptions{1e-3}};
    const auto x = torch::rand({model.batch, model.sizes.front()});
    const auto y = torch::randint(model.sizes.back(), {model.batch});
    const auto step = [&] {
      optimizer.zero_grad();
      torch::nn::functional::cross_entropy(net->forward(x), y).backward();
      optimizer.step();
    };
    for (int i = 0; i < 3; ++i) step();
    const bench::Rate rate{state};
    for (auto _ : state) step();
    rate.report("items_per_second", static_cast<double>(model.batch));
  });
}

[[maybe_unused]] const bool added = [] {
  for (const Model& model : bench::models()) add_peer(model);
  return true;
}();

}  // namespace
