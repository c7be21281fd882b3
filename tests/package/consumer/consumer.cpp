#include <altmin/altmin.hpp>
#include <altmin/data.hpp>
#ifdef CONSUMER_HAS_io
#include <altmin/io.hpp>
#endif
#ifdef CONSUMER_HAS_mpi
#include <altmin/mpi.hpp>
#endif

int main() {
  try {
    altmin::load_idx<float>("no such folder");
  } catch (const altmin::Error&) {
    if (!altmin::parse_safetensors(altmin::format_safetensors({}, {})).tensors.empty()) return 1;
    return altmin::Layers<float>{3}.add(altmin::Dense{2}).output().size() == 2 ? 0 : 1;
  }
  return 1;
}
