#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/readers/gzip_file.hpp"

namespace altmin {
namespace detail {

template <std::size_t Dimensions>
struct IdxBytes {
  std::array<Index, Dimensions> sizes;
  std::vector<unsigned char> bytes;  ///< as many as the product of the sizes
};

/// Parses one IDX stream of unsigned bytes: 00 00 08 <number of sizes>, the sizes (32 bits, big end first), the bytes.
/// `read(to, size)` gives the next bytes, fewer than `size` only at the end; `name` stands in messages. Memory grows
/// with the bytes that come, never by what the header says. Throws DataError for anything else than one whole stream.
template <std::size_t Dimensions, class Read>
IdxBytes<Dimensions> parse_idx(Read&& read, const std::string& name) {
  constexpr std::size_t header_size = 4 + 4 * Dimensions;
  const auto big_endian = [](const unsigned char* at) {
    return std::uint32_t{at[0]} << 24U | std::uint32_t{at[1]} << 16U | std::uint32_t{at[2]} << 8U |
           std::uint32_t{at[3]};
  };
  const auto hex = [](std::uint32_t value) {
    std::string digits = "0x";
    for (unsigned shift = 32; shift > 0; shift -= 4) digits += "0123456789abcdef"[(value >> (shift - 4)) & 15U];
    return digits;
  };

  std::array<unsigned char, header_size> header{};
  const std::size_t header_got = read(header.data(), header_size);
  const std::uint32_t magic = big_endian(header.data());
  constexpr std::uint32_t expected_magic = 0x800 + Dimensions;
  if (header_got >= 4 && magic != expected_magic) {
    throw_data(name, 0,
               "expected " + hex(expected_magic) + " (IDX of unsigned bytes with " + text(Dimensions) +
                   (Dimensions == 1 ? " size" : " sizes") + "), got " + hex(magic));
  }
  if (header_got < header_size) {
    throw_data(name, header_got, "expected an IDX header of " + text(header_size) + " bytes, got the end");
  }

  IdxBytes<Dimensions> result;
  std::uint64_t total = 1;
  std::string shape;
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  for (std::size_t i = 0; i < Dimensions; ++i) {
    const std::uint64_t offset = 4 + 4 * i;
    const std::uint32_t size = big_endian(header.data() + offset);
    if (size == 0) throw_data(name, offset, "expected a size above 0, got 0");
    shape += (i > 0 ? " x " : "") + text(size);
    if (total > most / size) throw_data(name, offset, "expected sizes that fit into memory, got " + shape);
    total *= size;
    result.sizes[i] = static_cast<Index>(size);
  }

  constexpr std::uint64_t chunk = 1U << 20U;
  while (result.bytes.size() < total) {
    const std::size_t before = result.bytes.size();
    const auto wanted = static_cast<std::size_t>(std::min(chunk, total - before));
    result.bytes.resize(before + wanted);
    const std::size_t got = read(result.bytes.data() + before, wanted);
    if (got < wanted) {
      throw_data(name, header_size + before + got,
                 "expected " + text(total) + " bytes (" + shape + ") after the header, got the end after " +
                     text(before + got));
    }
  }
  unsigned char extra = 0;
  if (read(&extra, 1) != 0) throw_data(name, header_size + total, "expected the end, got more bytes");
  return result;
}

/// Images, one per column.
template <class Scalar>
struct IdxImages {
  Matrix<Scalar> x;
  Shape shape;  ///< 1 x rows x columns
};

/// Images, number x rows x columns, as (rows * columns) x number, scaled to [0, 1]. Reads and throws as parse_idx.
template <class Scalar, class Read>
IdxImages<Scalar> parse_idx_images(Read&& read, const std::string& name) {
  const IdxBytes<3> images = parse_idx<3>(read, name);
  const Shape shape{1, images.sizes[1], images.sizes[2]};
  const Eigen::Map<const Matrix<unsigned char>> pixels{images.bytes.data(), shape.size(), images.sizes[0]};
  return {pixels.template cast<Scalar>() / Scalar(255), shape};
}

/// Labels. Reads and throws as parse_idx.
template <class Read>
Labels parse_idx_labels(Read&& read, const std::string& name) {
  using Bytes = Eigen::Matrix<unsigned char, Eigen::Dynamic, 1>;
  const IdxBytes<1> labels = parse_idx<1>(read, name);
  return Eigen::Map<const Bytes>{labels.bytes.data(), labels.sizes[0]}.template cast<int>();
}

/// The file of one part ("train", "t10k") and kind ("images-idx3", "labels-idx1"), under the names in use.
inline std::filesystem::path find_idx(const std::filesystem::path& directory, const std::string& part,
                                      const std::string& kind) {
  const std::string hyphen = part + "-" + kind + "-ubyte";
  std::string dot = hyphen;
  dot[dot.rfind("-idx")] = '.';
  for (const std::string& name : {hyphen, hyphen + ".gz", dot, dot + ".gz"}) {
    std::error_code ignored;
    const auto type = std::filesystem::status(directory / name, ignored).type();
    using std::filesystem::file_type;
    if (type != file_type::none && type != file_type::not_found && type != file_type::directory)
      return directory / name;
  }
  throw DataError(directory.string() + ": expected a file " + hyphen + "[.gz] or " + dot +
                  "[.gz], got none (examples/download.sh fetches MNIST, Debian's package dataset-fashion-mnist holds "
                  "Fashion-MNIST)");
}

}  // namespace detail

/// Reads an IDX file of images, gzipped or plain: (rows * columns) x images, value / 255. Throws DataError for a file
/// that is missing, damaged or of another kind.
template <class Scalar>
Matrix<Scalar> read_idx_images(const std::filesystem::path& path) {
  detail::GzipFile file{path};
  return detail::parse_idx_images<Scalar>(file, file.name()).x;
}

/// Reads an IDX file of labels, gzipped or plain. Throws DataError for a file that is missing, damaged or of another
/// kind.
inline Labels read_idx_labels(const std::filesystem::path& path) {
  detail::GzipFile file{path};
  return detail::parse_idx_labels(file, file.name());
}

/// Reads MNIST, or another set in its format, from the directory that holds its four files: train-images-idx3-ubyte,
/// train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, gzipped (.gz) or not, also named as in
/// train-images.idx3-ubyte. Both parts have as many classes as the largest label of either asks for. Throws DataError
/// for files that are missing, damaged or do not fit together.
template <class Scalar>
TrainTest<Scalar> load_idx(const std::filesystem::path& directory) {
  struct Part {
    detail::IdxImages<Scalar> images;
    Labels y;
  };
  const auto load = [&](const char* part) {
    const auto images = detail::find_idx(directory, part, "images-idx3");
    const auto labels = detail::find_idx(directory, part, "labels-idx1");
    Labels y = read_idx_labels(labels);
    detail::GzipFile file{images};
    auto x = detail::parse_idx_images<Scalar>(file, file.name());
    if (x.x.cols() != y.size()) {
      throw DataError(labels.string() + ": expected as many labels as " + images.filename().string() + " has images, " +
                      detail::text(x.x.cols()) + ", got " + detail::text(y.size()));
    }
    return Part{std::move(x), std::move(y)};
  };
  Part train = load("train");
  Part test = load("t10k");
  if (!(train.images.shape == test.images.shape)) {
    throw DataError(directory.string() + ": expected test images of the shape of training images, " +
                    to_string(train.images.shape) + ", got " + to_string(test.images.shape));
  }
  const Index classes = Index{1} + std::max(train.y.maxCoeff(), test.y.maxCoeff());
  const auto dataset = [&](Part& part) {
    Dataset<Scalar> data{std::move(part.images.x), std::move(part.y), classes};
    data.set_shape(part.images.shape);
    return data;
  };
  return {dataset(train), dataset(test)};
}

}  // namespace altmin
