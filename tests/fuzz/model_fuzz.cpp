// The readers of model files and checkpoints take any bytes: they give a network that works, or a FormatError.

#include <altmin/io.hpp>
#include <string_view>

#include "fuzz.hpp"

namespace {

void use(const altmin::Network<float>& net) {
  const altmin::Index features = net.layers().input().size();
  if (features > 1000) return;  // legitimate, and slow
  const auto y = net.predict(altmin::Matrix<float>::Ones(features, 2));
  fuzz::require(y.rows() == net.layers().output().size() && y.cols() == 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  fuzz::expect<altmin::FormatError>([&] { altmin::parse_safetensors(bytes); });
  fuzz::expect<altmin::FormatError>([&] { use(altmin::parse_model<float>(bytes)); });
  fuzz::expect<altmin::FormatError>([&] { use(altmin::parse_checkpoint<float>(bytes).network); });
  return 0;
}
