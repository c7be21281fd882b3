#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/io/options.hpp"

/// @file
/// The safetensors format (https://github.com/huggingface/safetensors): the length of a header as a little-endian
/// 64-bit number, the header in JSON (of each tensor its type, shape and place; strings under __metadata__), and the
/// tensors' elements, little-endian, row by row, without gaps.

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "altmin: component io needs a little-endian machine"
#endif

namespace altmin {

/// Texts by name.
using Notes = std::map<std::string, std::string>;

/// One tensor of a file, borrowed from the file's bytes.
struct Tensor {
  std::string type;  ///< "F32", "F64", "I64", ...
  std::vector<Index> shape;
  std::string_view bytes;
};

/// The content of a file: its bytes must outlive this.
struct Safetensors {
  std::map<std::string, Tensor> tensors;
  Notes notes;
};

/// One tensor that is to be written.
struct NewTensor {
  std::string name;
  std::string type;
  std::vector<Index> shape;
  std::function<void(char*)> write;  ///< writes all elements there
};

namespace detail {

/// Bytes of an element; 0 for types that there are not.
inline Index element_size(std::string_view type) {
  if (type == "F64" || type == "I64" || type == "U64") return 8;
  if (type == "F32" || type == "I32" || type == "U32") return 4;
  if (type == "F16" || type == "BF16" || type == "I16" || type == "U16") return 2;
  if (type == "BOOL" || type == "U8" || type == "I8" || type == "F8_E4M3" || type == "F8_E5M2") return 1;
  return 0;
}

/// "F32 [500, 784]".
inline std::string type_text(const std::string& type, const std::vector<Index>& shape) {
  std::string text = type + " [";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// A product of sizes of 0 or more; -1 where it does not fit.
inline Index checked_product(Index a, Index b) {
  return a >= 0 && b >= 0 && (b == 0 || a <= std::numeric_limits<Index>::max() / b) ? a * b : -1;
}

inline Tensor parse_tensor(const nlohmann::json& entry, std::string_view data, Index& begin, const std::string& where) {
  const auto require = [&](bool holds, const char* what, const std::string& expected) {
    if (!holds) throw FormatError(where + what + ": expected " + expected + ", got " + shown_json(entry));
  };
  const auto is_size = [](const nlohmann::json& value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() <= std::numeric_limits<Index>::max();
  };
  require(entry.is_object() && entry.size() == 3 && entry.contains("dtype") && entry.contains("shape") &&
              entry.contains("data_offsets"),
          "", "dtype, shape and data_offsets");
  const auto& type = entry["dtype"];
  const auto& shape = entry["shape"];
  const auto& offsets = entry["data_offsets"];
  require(type.is_string() && element_size(type.get_ref<const std::string&>()) > 0, ": dtype", "a known type");
  require(shape.is_array() && std::all_of(shape.begin(), shape.end(), is_size), ": shape", "a list of sizes");
  require(offsets.is_array() && offsets.size() == 2 && is_size(offsets[0]) && is_size(offsets[1]), ": data_offsets",
          "two offsets");
  Tensor tensor{type, {}, {}};
  Index size = element_size(tensor.type);
  for (const auto& extent : shape) {
    tensor.shape.push_back(extent.get<Index>());
    size = checked_product(size, tensor.shape.back());
  }
  begin = offsets[0].get<Index>();
  const Index end = offsets[1].get<Index>();
  require(begin <= end && end <= static_cast<Index>(data.size()), ": data_offsets",
          "a range within the " + std::to_string(data.size()) + " bytes of data");
  require(size == end - begin, ": data_offsets", "as many bytes as the shape needs");
  tensor.bytes = data.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
  return tensor;
}

inline Notes parse_notes(const nlohmann::json& entry) {
  const std::string where = "header: __metadata__";
  if (!entry.is_object()) throw FormatError(where + ": expected an object, got " + shown_json(entry));
  Notes notes;
  for (const auto& note : entry.items()) read_options(note.value(), notes[note.key()], where + "." + shown(note.key()));
  return notes;
}

}  // namespace detail

/// The content of a file in memory, whatever its bytes are. Throws FormatError: what, where, expected, got.
inline Safetensors parse_safetensors(std::string_view file) {
  constexpr std::size_t prefix = 8;
  constexpr std::size_t longest = 100'000'000;  // as in the reference implementation
  if (file.size() < prefix) {
    throw FormatError("header: expected at least 8 bytes, got " + std::to_string(file.size()));
  }
  std::uint64_t length = 0;
  for (std::size_t i = prefix; i-- > 0;) length = length << 8U | static_cast<unsigned char>(file[i]);
  const std::size_t most = std::min(file.size() - prefix, longest);
  if (length > most) {
    throw FormatError("header: expected a length of up to " + std::to_string(most) + " bytes, got " +
                      std::to_string(length));
  }
  const std::string_view data = file.substr(prefix + static_cast<std::size_t>(length));
  const auto header = detail::parse_json(file.substr(prefix, static_cast<std::size_t>(length)), "header");
  if (!header.is_object()) throw FormatError("header: expected an object, got " + detail::shown_json(header));

  Safetensors result;
  std::map<std::pair<Index, Index>, std::string> places;  // by begin and end; of empty tensors, one in each place
  for (const auto& entry : header.items()) {
    if (entry.key() == "__metadata__") {
      result.notes = detail::parse_notes(entry.value());
      continue;
    }
    const std::string where = "tensor '" + detail::shown(entry.key()) + "'";
    Index begin = 0;
    Tensor tensor = detail::parse_tensor(entry.value(), data, begin, where);
    const Index end = begin + static_cast<Index>(tensor.bytes.size());
    if (!places.emplace(std::pair{begin, end}, where).second && begin != end) {
      throw FormatError(where + ": its data overlap those of " + places[{begin, end}]);
    }
    result.tensors.emplace(entry.key(), std::move(tensor));
  }
  Index next = 0;
  for (const auto& [place, where] : places) {
    if (place.first != next) {
      throw FormatError(where + ": expected its data from byte " + std::to_string(next) + " on, got byte " +
                        std::to_string(place.first));
    }
    next = place.second;
  }
  if (next != static_cast<Index>(data.size())) {
    throw FormatError("data: expected " + std::to_string(next) + " bytes, got " + std::to_string(data.size()));
  }
  return result;
}

/// A file's bytes. Throws Error where two tensors have the same name.
inline std::string format_safetensors(std::vector<NewTensor> tensors, const Notes& notes) {
  // Large elements first, so that all of them are aligned.
  std::stable_sort(tensors.begin(), tensors.end(), [](const NewTensor& a, const NewTensor& b) {
    return detail::element_size(a.type) > detail::element_size(b.type);
  });
  auto header = nlohmann::json::object();
  if (!notes.empty()) header["__metadata__"] = notes;
  Index end = 0;
  std::vector<Index> begins;
  for (const NewTensor& tensor : tensors) {
    begins.push_back(end);
    Index size = detail::element_size(tensor.type);
    for (const Index extent : tensor.shape) size *= extent;
    end += size;
    const nlohmann::json entry{{"dtype", tensor.type}, {"shape", tensor.shape}, {"data_offsets", {begins.back(), end}}};
    if (!header.emplace(tensor.name, entry).second) {
      throw Error("a file cannot hold two tensors of the name '" + tensor.name + "'");
    }
  }
  std::string file;
  try {
    file = header.dump();
  } catch (const nlohmann::json::exception& error) {  // a note that is not UTF-8
    throw Error(std::string("a file can hold text alone: ") + error.what());
  }
  file.append((8 - file.size() % 8) % 8, ' ');
  std::string length;
  for (std::uint64_t rest = file.size(); length.size() < 8; rest >>= 8U) length += static_cast<char>(rest & 0xffU);
  file.insert(0, length);
  const std::size_t start = file.size();
  file.resize(start + static_cast<std::size_t>(end));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].write(&file[start + static_cast<std::size_t>(begins[i])]);
  }
  return file;
}

}  // namespace altmin
