#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/shape.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/readers/gzip_file.hpp"

namespace altmin {
namespace detail {

/// A record of CIFAR-10's binary files: a label in 0 .. 9, and the planes of red, green and blue row by row.
constexpr std::size_t cifar10_record = 1 + 3 * 32 * 32;

/// Appends the records of one stream to `records`. `read(to, size)` gives the next bytes, fewer than `size` only at the
/// end; `name` stands in messages. Throws DataError, naming the record (0, 1, ...), for anything else than one or more
/// whole records.
template <class Read>
void append_cifar10(Read&& read, const std::string& name, std::vector<unsigned char>& records) {
  for (Index number = 0;; ++number) {
    const std::size_t before = records.size();
    records.resize(before + cifar10_record);
    const std::size_t got = read(records.data() + before, cifar10_record);
    if (got == 0 && number > 0) {
      records.resize(before);
      return;
    }
    const std::string where = name + ", record " + text(number) + ": ";
    if (got < cifar10_record) {
      throw DataError(where + "expected " + text(cifar10_record) + " bytes, got the end after " + text(got));
    }
    if (records[before] > 9) throw DataError(where + "expected a label in 0 .. 9, got " + text(int{records[before]}));
  }
}

template <class Scalar>
Dataset<Scalar> cifar10_dataset(const std::vector<unsigned char>& records) {
  constexpr auto rows = static_cast<Index>(cifar10_record);
  const Eigen::Map<const Matrix<unsigned char>> bytes{records.data(), rows, static_cast<Index>(records.size()) / rows};
  Dataset<Scalar> data{bytes.bottomRows(rows - 1).template cast<Scalar>() / Scalar(255),
                       bytes.row(0).transpose().template cast<int>(), 10};
  data.set_shape({3, 32, 32});
  return data;
}

}  // namespace detail

/// Reads one of CIFAR-10's binary files, plain or gzipped, of any number of records: images of 3 x 32 x 32, value /
/// 255, and labels. Throws DataError for a file that is missing, damaged or of another kind.
template <class Scalar>
Dataset<Scalar> read_cifar10(const std::filesystem::path& path) {
  std::vector<unsigned char> records;
  detail::GzipFile file{path};
  detail::append_cifar10(file, file.name(), records);
  return detail::cifar10_dataset<Scalar>(records);
}

/// Reads CIFAR-10's binary version from the directory that holds its files, data_batch_1.bin, ..., data_batch_5.bin for
/// training, in this order, and test_batch.bin. Throws DataError for files that are missing or damaged.
template <class Scalar>
TrainTest<Scalar> load_cifar10(const std::filesystem::path& directory) {
  std::vector<unsigned char> records;
  for (const char number : {'1', '2', '3', '4', '5'}) {
    detail::GzipFile file{directory / (std::string{"data_batch_"} + number + ".bin")};
    detail::append_cifar10(file, file.name(), records);
  }
  return {detail::cifar10_dataset<Scalar>(records), read_cifar10<Scalar>(directory / "test_batch.bin")};
}

}  // namespace altmin
