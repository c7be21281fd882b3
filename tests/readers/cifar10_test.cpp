#include <altmin/readers/cifar10.hpp>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Index;
using altmin::Matrix;
using altmin::Shape;
using Catch::Matchers::ContainsSubstring;
using support::message_of;
using support::TemporaryFolder;

namespace {

constexpr Index pixels = 3 * 32 * 32;

/// Pixel i of record k of the file `start` begins with.
int pixel(int start, int k, Index i) { return static_cast<int>((start * 31 + k * 7 + i * 37) % 256); }

/// Records of labels start, start + 1, ...
std::string records(int start, int count) {
  std::string bytes;
  for (int k = 0; k < count; ++k) {
    bytes += static_cast<char>((start + k) % 10);
    for (Index i = 0; i < pixels; ++i) bytes += static_cast<char>(pixel(start, k, i));
  }
  return bytes;
}

void write_set(const TemporaryFolder& folder) {
  for (int i = 1; i <= 5; ++i) folder.write("data_batch_" + std::to_string(i) + ".bin", records(i, i));
  folder.write("test_batch.bin", records(6, 2));
}

std::string error_of(const TemporaryFolder& folder, const std::string& bytes) {
  const auto path = folder.write("some.bin", bytes);
  return message_of<DataError>([&] { altmin::read_cifar10<float>(path); });
}

}  // namespace

TEMPLATE_TEST_CASE("load_cifar10 reads all records in order", "[cifar10]", float, double) {
  const TemporaryFolder folder;
  write_set(folder);
  const auto data = altmin::load_cifar10<TestType>(folder.path());
  REQUIRE(data.train.size() == 15);
  REQUIRE(data.test.size() == 2);
  for (const auto* part : {&data.train, &data.test}) {
    CHECK(part->classes() == 10);
    CHECK(part->shape() == Shape{3, 32, 32});
  }
  Index sample = 0;
  const auto check = [&](const altmin::Dataset<TestType>& part, int start, int k) {
    CHECK(part.y()[sample] == (start + k) % 10);
    Index same = 0;
    for (Index i = 0; i < pixels; ++i) {
      same += part.x()(i, sample) == TestType(pixel(start, k, i)) / TestType(255) ? 1 : 0;
    }
    CHECK(same == pixels);
    ++sample;
  };
  for (int file = 1; file <= 5; ++file) {
    for (int k = 0; k < file; ++k) check(data.train, file, k);
  }
  sample = 0;
  for (int k = 0; k < 2; ++k) check(data.test, 6, k);
}

TEST_CASE("read_cifar10 reads a gzipped file", "[cifar10]") {
  const TemporaryFolder folder;
  const auto path = folder.write("some.bin.gz", support::gzip(folder, records(8, 3)));
  CHECK(altmin::read_cifar10<float>(path).y() == Eigen::Vector3i{8, 9, 0});
  const std::string packed = support::gzip(folder, records(8, 3));
  CHECK_THAT(error_of(folder, packed.substr(0, packed.size() - 20)), ContainsSubstring("expected readable data"));
}

TEST_CASE("read_cifar10 names file and record of what is wrong", "[cifar10]") {
  const TemporaryFolder folder;
  const std::string good = records(0, 3);
  CHECK_THAT(error_of(folder, good.substr(0, good.size() - 1)),
             ContainsSubstring("some.bin, record 2: expected 3073 bytes, got the end after 3072"));
  CHECK_THAT(error_of(folder, good + '\0'), ContainsSubstring("record 3: expected 3073 bytes, got the end after 1"));
  CHECK_THAT(error_of(folder, ""), ContainsSubstring("record 0: expected 3073 bytes, got the end after 0"));
  std::string bad = good;
  bad[3073] = 10;
  CHECK_THAT(error_of(folder, bad), ContainsSubstring("some.bin, record 1: expected a label in 0 .. 9, got 10"));
  bad[3073] = '\xff';
  CHECK_THAT(error_of(folder, bad), ContainsSubstring("got 255"));
}

TEST_CASE("load_cifar10 needs all six files, and says which is damaged", "[cifar10]") {
  const TemporaryFolder folder;
  write_set(folder);
  const auto error = [&] { return message_of<DataError>([&] { altmin::load_cifar10<float>(folder.path()); }); };
  folder.write("data_batch_4.bin", records(4, 1) + "more");
  CHECK_THAT(error(), ContainsSubstring("data_batch_4.bin, record 1: expected 3073 bytes"));
  std::filesystem::remove(folder.path() / "data_batch_4.bin");
  CHECK_THAT(error(), ContainsSubstring("data_batch_4.bin: expected a file to read, got: No such file"));
  write_set(folder);
  std::filesystem::remove(folder.path() / "test_batch.bin");
  CHECK_THAT(error(), ContainsSubstring("test_batch.bin"));
}
