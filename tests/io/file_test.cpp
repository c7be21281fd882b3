// Files that are replaced as a whole.

#include <sys/resource.h>
#include <unistd.h>

#include <altmin/io/file.hpp>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "support.hpp"

using altmin::Error;
using altmin::FormatError;
using altmin::OutputFile;
using altmin::read_file;
using Catch::Matchers::ContainsSubstring;
using support::Folder;
using support::message;

TEST_CASE("a file is replaced, and nothing else is left", "[file]") {
  const Folder folder;
  const OutputFile file{folder.file("a")};
  file.require_writable();
  CHECK(folder.files() == 0);
  file.write("first");
  CHECK(read_file(folder.file("a")) == "first");
  file.require_writable();
  CHECK(read_file(folder.file("a")) == "first");
  const std::string large(3'000'000, 'x');
  file.write(large);
  CHECK(read_file(folder.file("a")) == large);
  file.replace([](const std::string& path) { std::ofstream{path} << "made"; });
  CHECK(read_file(folder.file("a")) == "made");
  CHECK(folder.files() == 1);
}

TEST_CASE("where writing fails, the old file stays", "[file]") {
  const Folder folder;
  const OutputFile file{folder.file("a")};
  file.write("old");
  CHECK_THROWS_AS(file.replace([](const std::string& path) {
    std::ofstream{path} << "half";
    throw std::runtime_error("no");
  }),
                  std::runtime_error);
  CHECK_THROWS_WITH(file.replace([](const std::string& path) { std::filesystem::remove(path); }),
                    ContainsSubstring("No such file"));
  CHECK(read_file(folder.file("a")) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("a disk that takes no more leaves the old file, and says why", "[file]") {
  const Folder folder;
  const OutputFile file{folder.file("a")};
  file.write("old");
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  struct ::rlimit limit {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const struct ::rlimit small { 1000, limit.rlim_max };
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string told = message<Error>([&] { file.write(std::string(5000, 'x')); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, before);
  CHECK(told == "cannot write " + folder.file("a") + ": File too large");
  CHECK(read_file(folder.file("a")) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("what cannot be written is found out early", "[file]") {
  const Folder folder;
  const std::string inside = folder.file("nowhere/a");
  CHECK(message<Error>([&] { OutputFile{inside}.require_writable(); }) ==
        "cannot write " + inside + ": No such file or directory");
  CHECK_THROWS_WITH(OutputFile{folder.file("")}, ContainsSubstring("it is not a file"));
  CHECK_THROWS_WITH(OutputFile{"/dev/null"}, ContainsSubstring("it is not a file"));
}

TEST_CASE("a link stays a link", "[file]") {
  const Folder folder;
  OutputFile{folder.file("a")}.write("old");
  std::filesystem::create_symlink("a", folder.file("link"));
  OutputFile{folder.file("link")}.write("new");
  CHECK(std::filesystem::is_symlink(folder.file("link")));
  CHECK(read_file(folder.file("a")) == "new");
}

TEST_CASE("what cannot be read says why", "[file]") {
  const Folder folder;
  CHECK(message<FormatError>([&] { read_file(folder.file("a")); }) == folder.file("a") + ": No such file or directory");
  CHECK_THROWS_WITH(read_file(folder.file("")), ContainsSubstring("it is not a file"));
  CHECK_THROWS_WITH(read_file("/dev/zero"), ContainsSubstring("it is not a file"));
}

TEST_CASE("of two who write one file at a time, the second is refused", "[file]") {
  const Folder folder;
  const OutputFile file{folder.file("a")};
  file.replace([&](const std::string& path) {
    std::ofstream{path} << "first";
    CHECK(message<Error>([&] { OutputFile{folder.file("a")}.write("second"); }) ==
          "cannot write " + folder.file("a") + ": something else is writing it");
  });
  CHECK(read_file(folder.file("a")) == "first");
  CHECK(folder.files() == 1);
}

TEST_CASE("what a killed writer left behind is used anew", "[file]") {
  const Folder folder;
  std::ofstream{folder.file("a.part")} << "something long that was never finished";
  OutputFile{folder.file("a")}.write("new");
  CHECK(read_file(folder.file("a")) == "new");
  CHECK(folder.files() == 1);
}
