#pragma once

// A small network, and files of it that are not what they should be.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <cstddef>
#include <string>

#include "../network/problem.hpp"
#include "support.hpp"

namespace support {

using namespace altmin;

/// A small one, for files that are tried many times.
inline Network<float> small(int steps = 3) {
  Network<float> net{Layers<float>{4}.add(Dense{3}).add(BatchNorm{}).add(Relu{}).add(Dense{2}), SoftmaxCrossEntropy{},
                     Adam{}, Seed{1}};
  net.set_threads(1);
  const Problem<float> problem{4, 2, 10};
  for (int s = 0; s < steps; ++s) net.step(problem.x, problem.y);
  return net;
}

/// The same file with another header or metadata; `change` gets both as JSON.
template <class Change>
std::string changed(const std::string& file, Change&& change) {
  std::size_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(file[i]);
  auto header = nlohmann::json::parse(file.substr(8, length));
  auto network = nlohmann::json::parse(header["__metadata__"]["network"].get<std::string>());
  change(header, network);
  if (header["__metadata__"].contains("network")) header["__metadata__"]["network"] = network.dump();
  return support::with_header(header.dump(), file.substr(8 + length));
}

template <class Change>
std::string model_refusal(Change&& change) {
  const std::string file = changed(format_model(small()), change);
  return message<FormatError>([&] { parse_model<float>(file); });
}

template <class Change>
std::string checkpoint_refusal(const std::string& file, Change&& change) {
  const std::string bad = changed(file, change);
  return message<FormatError>([&] { parse_checkpoint<float>(bad); });
}

}  // namespace support
