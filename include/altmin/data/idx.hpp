#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"

namespace altmin {
namespace detail {

/// "file, byte 16: expected ..., got ...".
[[noreturn]] inline void throw_data(const std::string& name, std::uint64_t offset, const std::string& what) {
  throw DataError(name + ", byte " + text(offset) + ": " + what);
}

/// The bytes of a file, gzipped or plain, in order. Every failure is a DataError.
class GzipFile {
 public:
  explicit GzipFile(const std::filesystem::path& path) : name_{path.string()} {
    errno = 0;
    file_.reset(gzopen(name_.c_str(), "rb"));
    if (!file_) {
      const std::string reason = errno != 0 ? std::generic_category().message(errno) : "out of memory";
      throw DataError(name_ + ": expected a file to read, got: " + reason);
    }
    gzbuffer(file_.get(), 1U << 17U);
    packed_ = gzdirect(file_.get()) == 0;
  }

  /// Reads `size` bytes, fewer only at the end of the file, and returns how many.
  std::size_t operator()(void* to, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const auto wanted = static_cast<unsigned>(std::min(size - done, std::size_t{1} << 20U));
      const int got = gzread(file_.get(), static_cast<char*>(to) + done, wanted);
      if (got > 0) done += static_cast<unsigned>(got);
      if (got != static_cast<int>(wanted)) {
        require_sound(offset_ + done);
        break;
      }
    }
    offset_ += done;
    return done;
  }

  /// The file, for messages; bytes of a gzipped file are counted as they come out.
  std::string name() const { return packed_ ? name_ + " (unpacked)" : name_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  void require_sound(std::uint64_t offset) const {
    int status = Z_OK;
    std::string reason = gzerror(file_.get(), &status);  // "<file>: <reason>"
    if (status == Z_OK || status == Z_STREAM_END) return;
    if (reason.compare(0, name_.size() + 2, name_ + ": ") == 0) reason.erase(0, name_.size() + 2);
    throw_data(name(), offset, "expected readable data from here on, got: " + reason);
  }

  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
  bool packed_ = false;
  std::uint64_t offset_ = 0;
};

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

/// Images, number x rows x columns, as (rows * columns) x number, scaled to [0, 1]. Reads and throws as parse_idx.
template <class Scalar, class Read>
Matrix<Scalar> parse_idx_images(Read&& read, const std::string& name) {
  using Bytes = Eigen::Matrix<unsigned char, Eigen::Dynamic, Eigen::Dynamic>;
  const IdxBytes<3> images = parse_idx<3>(read, name);
  const Eigen::Map<const Bytes> pixels{images.bytes.data(), images.sizes[1] * images.sizes[2], images.sizes[0]};
  return pixels.template cast<Scalar>() / Scalar(255);
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
  return detail::parse_idx_images<Scalar>(file, file.name());
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
  const auto load = [&](const char* part) {
    const auto images = detail::find_idx(directory, part, "images-idx3");
    const auto labels = detail::find_idx(directory, part, "labels-idx1");
    Labels y = read_idx_labels(labels);
    Matrix<Scalar> x = read_idx_images<Scalar>(images);
    if (x.cols() != y.size()) {
      throw DataError(labels.string() + ": expected as many labels as " + images.filename().string() + " has images, " +
                      detail::text(x.cols()) + ", got " + detail::text(y.size()));
    }
    return std::pair<Matrix<Scalar>, Labels>{std::move(x), std::move(y)};
  };
  auto train = load("train");
  auto test = load("t10k");
  if (train.first.rows() != test.first.rows()) {
    throw DataError(directory.string() + ": expected test images of as many pixels as training images, " +
                    detail::text(train.first.rows()) + ", got " + detail::text(test.first.rows()));
  }
  const Index classes = Index{1} + std::max(train.second.maxCoeff(), test.second.maxCoeff());
  return {Dataset<Scalar>{std::move(train.first), std::move(train.second), classes},
          Dataset<Scalar>{std::move(test.first), std::move(test.second), classes}};
}

}  // namespace altmin
