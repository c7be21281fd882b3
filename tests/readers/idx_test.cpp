#include <algorithm>
#include <altmin/data.hpp>
#include <cstring>

#include "catch.hpp"
#include "support.hpp"

using altmin::DataError;
using altmin::Index;
using altmin::Labels;
using altmin::Matrix;
using altmin::Random;
using altmin::Seed;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using support::gzip;
using support::message_of;
using support::TemporaryFolder;

namespace {

/// A source of bytes in memory that notes the largest piece asked for.
struct Memory {
  const std::string& bytes;
  std::size_t at = 0;
  std::size_t largest = 0;

  std::size_t operator()(void* to, std::size_t size) {
    largest = std::max(largest, size);
    const std::size_t count = std::min(size, bytes.size() - at);
    std::memcpy(to, bytes.data() + at, count);
    at += count;
    return count;
  }
};

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (unsigned shift = 32; shift > 0; shift -= 8) bytes += static_cast<char>((value >> (shift - 8)) & 255U);
  return bytes;
}

std::string pixel_bytes(std::uint32_t count) {
  std::string bytes;
  for (std::uint32_t i = 0; i < count; ++i) bytes += static_cast<char>((i * 37) & 255U);
  return bytes;
}

std::string image_file(std::uint32_t count, std::uint32_t rows, std::uint32_t columns) {
  return big_endian(0x803) + big_endian(count) + big_endian(rows) + big_endian(columns) +
         pixel_bytes(count * rows * columns);
}

std::string label_file(const std::string& labels) {
  return big_endian(0x801) + big_endian(static_cast<std::uint32_t>(labels.size())) + labels;
}

std::string digits(std::uint32_t count, std::uint32_t classes) {
  std::string labels;
  for (std::uint32_t i = 0; i < count; ++i) labels += static_cast<char>(i % classes);
  return labels;
}

/// Writes the four files of a small set of 2 x 3 images.
void write_set(const TemporaryFolder& folder, std::uint32_t train, std::uint32_t test) {
  folder.write("train-images-idx3-ubyte", image_file(train, 2, 3));
  folder.write("train-labels-idx1-ubyte", label_file(digits(train, 4)));
  folder.write("t10k-images-idx3-ubyte", image_file(test, 2, 3));
  folder.write("t10k-labels-idx1-ubyte", label_file(digits(test, 5)));
}

template <class Scalar>
void check_images(const Matrix<Scalar>& x, Index count, Index features) {
  REQUIRE(x.rows() == features);
  REQUIRE(x.cols() == count);
  const std::string bytes = pixel_bytes(static_cast<std::uint32_t>(x.size()));
  Index same = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    same += x.data()[i] == Scalar(byte) / Scalar(255) ? 1 : 0;
  }
  REQUIRE(same == x.size());
}

std::string image_error(const std::string& bytes) {
  return message_of<DataError>([&] { altmin::detail::parse_idx_images<float>(Memory{bytes}, "file"); });
}

std::string label_error(const std::string& bytes) {
  return message_of<DataError>([&] { altmin::detail::parse_idx_labels(Memory{bytes}, "file"); });
}

/// Parses images and labels from these bytes; each must give what the bytes hold or a DataError that names the file.
/// Returns how many succeeded.
int parse_any(const std::string& bytes) {
  int parsed = 0;
  Memory images{bytes};
  try {
    const auto x = altmin::detail::parse_idx_images<float>(images, "file").x;
    REQUIRE(static_cast<std::size_t>(x.size()) + 16 == bytes.size());
    REQUIRE(x.minCoeff() >= 0);
    REQUIRE(x.maxCoeff() <= 1);
    ++parsed;
  } catch (const DataError& error) {
    REQUIRE(std::string(error.what()).rfind("file, byte ", 0) == 0);
  }
  REQUIRE(images.largest <= 1U << 20U);
  Memory labels{bytes};
  try {
    const auto y = altmin::detail::parse_idx_labels(labels, "file");
    REQUIRE(static_cast<std::size_t>(y.size()) + 8 == bytes.size());
    REQUIRE(y.minCoeff() >= 0);
    REQUIRE(y.maxCoeff() <= 255);
    ++parsed;
  } catch (const DataError& error) {
    REQUIRE(std::string(error.what()).rfind("file, byte ", 0) == 0);
  }
  REQUIRE(labels.largest <= 1U << 20U);
  return parsed;
}

/// One seeded change: bits, bytes, cuts, insertions, or a 32-bit number at a telling value.
std::string mutate(std::string bytes, Random& random) {
  const auto below = [&](std::size_t bound) { return random.below(static_cast<std::uint32_t>(bound)); };
  for (std::uint32_t changes = 1 + below(3); changes > 0 && bytes.size() > 4; --changes) {
    const std::size_t at = random.below(2) == 0 ? below(std::min<std::size_t>(bytes.size(), 20)) : below(bytes.size());
    switch (below(6)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes[at] = static_cast<char>(below(256)); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(at, pixel_bytes(1 + below(30))); break;
      case 4: bytes.erase(at, 1 + below(5)); break;
      default: {
        const std::uint32_t telling[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x803, 0x801};
        const std::string number = big_endian(telling[below(8)]);
        const std::size_t place = std::min(at / 4 * 4, bytes.size() - 4);
        bytes.replace(place, 4, number);
      }
    }
  }
  return bytes;
}

}  // namespace

TEMPLATE_TEST_CASE("IDX files are read, packed and plain", "[idx]", float, double) {
  const TemporaryFolder folder;
  const std::string images = image_file(7, 4, 5);
  const std::string labels = label_file(std::string("\0\x09\xff\x01", 4));
  check_images(altmin::read_idx_images<TestType>(folder.write("plain", images)), 7, 20);
  check_images(altmin::read_idx_images<TestType>(folder.write("packed", gzip(folder, images))), 7, 20);
  for (const std::string& bytes : {labels, gzip(folder, labels)}) {
    const Labels y = altmin::read_idx_labels(folder.write("labels", bytes));
    REQUIRE(y.size() == 4);
    CHECK(y[1] == 9);
    CHECK(y[2] == 255);
  }
}

TEST_CASE("files larger than one chunk are read whole", "[idx]") {
  const TemporaryFolder folder;
  const std::string images = image_file(3000, 32, 31);  // 2.8 MiB, not a multiple of the chunk
  check_images(altmin::read_idx_images<float>(folder.write("plain", images)), 3000, 992);
  check_images(altmin::read_idx_images<float>(folder.write("packed", gzip(folder, images))), 3000, 992);
  const std::string exact = image_file(2, 1024, 1024);
  check_images(altmin::read_idx_images<float>(folder.write("exact", exact)), 2, 1024 * 1024);
}

TEMPLATE_TEST_CASE("load_idx finds the four files under their names", "[idx]", float, double) {
  const TemporaryFolder folder;
  write_set(folder, 9, 6);
  const auto check = [&] {
    const auto data = altmin::load_idx<TestType>(folder.path());
    check_images(data.train.x(), 9, 6);
    check_images(data.test.x(), 6, 6);
    CHECK(data.train.y()[5] == 1);
    CHECK(data.test.y()[5] == 0);
    CHECK(data.train.shape() == altmin::Shape{1, 2, 3});
    CHECK(data.train.classes() == 5);  // the test labels go one further
    CHECK(data.test.classes() == 5);
  };
  check();

  const std::string images = image_file(9, 2, 3);
  std::filesystem::remove(folder.path() / "train-images-idx3-ubyte");
  SECTION("gzipped") { folder.write("train-images-idx3-ubyte.gz", gzip(folder, images)); }
  SECTION("with a dot") { folder.write("train-images.idx3-ubyte", images); }
  SECTION("with a dot, gzipped") { folder.write("train-images.idx3-ubyte.gz", gzip(folder, images)); }
  SECTION("beside a folder of the plain name") {
    std::filesystem::create_directory(folder.path() / "train-images-idx3-ubyte");
    folder.write("train-images.idx3-ubyte", images);
  }
  check();
}

TEST_CASE("load_idx says what is missing, where, and how to get it", "[idx]") {
  const TemporaryFolder folder;
  write_set(folder, 3, 3);
  std::filesystem::remove(folder.path() / "t10k-labels-idx1-ubyte");
  const std::string message = message_of<DataError>([&] { altmin::load_idx<float>(folder.path()); });
  CHECK_THAT(message, ContainsSubstring(folder.path().string()));
  CHECK_THAT(message, ContainsSubstring("t10k-labels-idx1-ubyte[.gz]"));
  CHECK_THAT(message, ContainsSubstring("t10k-labels.idx1-ubyte[.gz]"));
  CHECK_THAT(message, ContainsSubstring("examples/download.sh"));
  CHECK_THROWS_AS(altmin::load_idx<float>(folder.path() / "nowhere"), DataError);
  CHECK_THROWS_AS(altmin::load_idx<float>(folder.path() / "train-images-idx3-ubyte"), DataError);
  CHECK_THROWS_AS(altmin::load_idx<float>(""), DataError);
}

TEST_CASE("load_idx refuses files that do not fit together", "[idx]") {
  const TemporaryFolder folder;
  write_set(folder, 9, 6);
  SECTION("numbers of images and labels") {
    folder.write("train-labels-idx1-ubyte", label_file(digits(8, 4)));
    CHECK_THAT(message_of<DataError>([&] { altmin::load_idx<float>(folder.path()); }),
               ContainsSubstring("as many labels as train-images-idx3-ubyte has images, 9, got 8"));
  }
  SECTION("sizes of images") {
    folder.write("t10k-images-idx3-ubyte", image_file(6, 3, 3));
    CHECK_THAT(message_of<DataError>([&] { altmin::load_idx<float>(folder.path()); }),
               ContainsSubstring("the shape of training images, 1 x 2 x 3, got 1 x 3 x 3"));
  }
  SECTION("images in the place of labels") {
    folder.write("train-labels-idx1-ubyte", image_file(9, 2, 3));
    CHECK_THAT(message_of<DataError>([&] { altmin::load_idx<float>(folder.path()); }),
               ContainsSubstring("expected 0x00000801 (IDX of unsigned bytes with 1 size), got 0x00000803"));
  }
}

TEST_CASE("damage is told by file, byte, expected and got", "[idx]") {
  const std::string images = image_file(7, 4, 5);
  CHECK(image_error("") == "file, byte 0: expected an IDX header of 16 bytes, got the end");
  CHECK(image_error(images.substr(0, 11)) == "file, byte 11: expected an IDX header of 16 bytes, got the end");
  CHECK(image_error(images.substr(0, 100)) ==
        "file, byte 100: expected 140 bytes (7 x 4 x 5) after the header, got the end after 84");
  CHECK(image_error(images + "x") == "file, byte 156: expected the end, got more bytes");
  CHECK(image_error("PK\3\4 an archive") ==
        "file, byte 0: expected 0x00000803 (IDX of unsigned bytes with 3 sizes), got 0x504b0304");
  std::string floats = images;
  floats[2] = 0x0d;
  CHECK_THAT(image_error(floats), ContainsSubstring("got 0x00000d03"));
  CHECK_THAT(image_error(label_file("abc")), ContainsSubstring("got 0x00000801"));
  CHECK_THAT(label_error(images), ContainsSubstring("got 0x00000803"));
  CHECK(label_error(label_file("")) == "file, byte 4: expected a size above 0, got 0");
  CHECK(image_error(image_file(2, 0, 5)) == "file, byte 8: expected a size above 0, got 0");
}

TEST_CASE("sizes in the header are not believed", "[idx]") {
  const auto header = [](std::uint32_t count, std::uint32_t rows, std::uint32_t columns) {
    return big_endian(0x803) + big_endian(count) + big_endian(rows) + big_endian(columns) + "a few bytes";
  };
  CHECK_THAT(image_error(header(0xffffffff, 0xffffffff, 0xffffffff)),
             ContainsSubstring("byte 8: expected sizes that fit into memory, got 4294967295 x 4294967295"));
  CHECK_THAT(image_error(header(0x7fffffff, 0x7fffffff, 2)), ContainsSubstring("got the end after 11"));
  CHECK_THAT(image_error(header(0x80000000, 0x10000, 0x10000)), ContainsSubstring("fit into memory"));
  CHECK_THAT(label_error(big_endian(0x801) + big_endian(0xffffffff)), ContainsSubstring("expected 4294967295 bytes"));
  CHECK(parse_any(header(0x7fffffff, 0x7fffffff, 2)) == 0);  // asks for no large piece
}

TEST_CASE("a missing file, a folder and an empty file are told apart", "[idx]") {
  const TemporaryFolder folder;
  const auto error = [](const std::filesystem::path& path) {
    return message_of<DataError>([&] { altmin::read_idx_labels(path); });
  };
  CHECK_THAT(error(folder.path() / "none"), ContainsSubstring((folder.path() / "none").string()));
  CHECK_THAT(error(folder.path() / "none"), ContainsSubstring("No such file"));
  CHECK_THAT(error(folder.path()), ContainsSubstring("directory"));
  CHECK_THAT(error(folder.write("empty", "")), ContainsSubstring("byte 0: expected an IDX header of 8 bytes"));
}

TEST_CASE("a damaged gzip stream is noticed", "[idx]") {
  const TemporaryFolder folder;
  const std::string packed = gzip(folder, image_file(50, 4, 5));
  const auto error = [&](const std::string& bytes) {
    return message_of<DataError>([&] { altmin::read_idx_images<float>(folder.write("damaged.gz", bytes)); });
  };
  std::string checksum = packed;
  checksum[packed.size() - 8] = static_cast<char>(checksum[packed.size() - 8] ^ 1);
  CHECK_THAT(error(checksum), ContainsSubstring("incorrect data check"));
  CHECK_THAT(error(checksum), ContainsSubstring("damaged.gz (unpacked), byte 0: expected readable data from"));
  CHECK_THAT(error(packed.substr(0, packed.size() / 2)), ContainsSubstring("unexpected end of file"));
  CHECK_THAT(error(packed.substr(0, packed.size() - 1)), ContainsSubstring("unexpected end of file"));
  CHECK_THAT(error(gzip(folder, image_file(50, 4, 5) + "x")), ContainsSubstring("byte 1016: expected the end"));
  CHECK_THAT(error(gzip(folder, image_file(50, 4, 5).substr(0, 500))), ContainsSubstring("got the end after 484"));
}

TEST_CASE("a file cut anywhere is refused", "[idx]") {
  const TemporaryFolder folder;
  for (const std::string& whole : {image_file(3, 4, 5), label_file(digits(40, 10))}) {
    CHECK(parse_any(whole) == 1);
    for (std::size_t size = 0; size < whole.size(); ++size) REQUIRE(parse_any(whole.substr(0, size)) == 0);
    const std::string packed = gzip(folder, whole);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      const auto path = folder.write("cut.gz", packed.substr(0, size));
      REQUIRE_THROWS_AS(altmin::read_idx_images<float>(path), DataError);
      REQUIRE_THROWS_AS(altmin::read_idx_labels(path), DataError);
    }
  }
}

TEST_CASE("mutated files parse consistently or are refused", "[idx]") {
  const std::string originals[] = {image_file(3, 4, 5), label_file(digits(40, 10))};
  Random random{Seed{2024}};
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) parsed += parse_any(mutate(originals[i % 2], random));
  CHECK(parsed > 500);  // changed pixels and labels
  CHECK(parsed < 15000);
}

TEST_CASE("mutated gzip files parse consistently or are refused", "[idx]") {
  const TemporaryFolder folder;
  const std::string packed = gzip(folder, image_file(30, 4, 5));
  Random random{Seed{2025}};
  for (int i = 0; i < 2000; ++i) {
    const auto path = folder.write("mutated.gz", mutate(packed, random));
    try {
      const auto x = altmin::read_idx_images<float>(path);
      REQUIRE(x.rows() == 20);  // the checksum held, so the content is the original
      REQUIRE(x.cols() == 30);
    } catch (const DataError& error) {
      REQUIRE(std::string(error.what()).rfind(path.string(), 0) == 0);
    }
  }
}

TEST_CASE("Fashion-MNIST loads", "[idx][data]") {
  const std::filesystem::path directory = "/usr/share/datasets/fashion-mnist";  // Debian: dataset-fashion-mnist
  if (!std::filesystem::exists(directory)) {
    WARN("skipped: no " << directory.string());
    SUCCEED();
    return;
  }
  const auto data = altmin::load_idx<float>(directory);
  CHECK(data.train.features() == 784);
  CHECK(data.train.size() == 60000);
  CHECK(data.train.classes() == 10);
  CHECK(data.test.features() == 784);
  CHECK(data.test.size() == 10000);
  CHECK(data.test.classes() == 10);
  for (int label = 0; label < 10; ++label) CHECK((data.train.y().array() == label).count() == 6000);
  CHECK(data.train.x().minCoeff() == 0);
  CHECK(data.train.x().maxCoeff() == 1);
  const auto pixels_of_all = altmin::Standardizer<float>::fit_shared(data.train.x());
  CHECK_THAT(pixels_of_all.mean()[0], WithinAbs(0.2860, 5e-5));  // the constants in common use
  CHECK_THAT(pixels_of_all.deviation()[0], WithinAbs(0.3530, 5e-5));
}
