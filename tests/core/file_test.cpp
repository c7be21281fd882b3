// Files that are replaced as a whole.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <altmin/core/file.hpp>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "catch.hpp"
#include "folder.hpp"
#include "message_of.hpp"

using altmin::Error;
using altmin::FormatError;
using altmin::OutputFile;
using altmin::read_file;
using Catch::Matchers::ContainsSubstring;
using support::Folder;
using support::message_of;

namespace {

/// The permissions of a file, links followed.
::mode_t mode_of(const std::string& path) {
  struct ::stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

/// Runs an action under another umask.
template <class Action>
void with_umask(::mode_t mask, Action&& action) {
  const ::mode_t before = ::umask(mask);
  action();
  ::umask(before);
}

/// A pipe, by the paths of its descriptors.
class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

  std::string path(int end) const { return "/dev/fd/" + std::to_string(ends_[end]); }
  std::string read() const {
    char text[100];
    const ::ssize_t count = ::read(ends_[0], text, sizeof text);
    REQUIRE(count >= 0);
    return {text, static_cast<std::size_t>(count)};
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace

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
  const std::string told = message_of<Error>([&] { file.write(std::string(5000, 'x')); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, before);
  CHECK(told == "cannot write " + folder.file("a") + ": File too large");
  CHECK(read_file(folder.file("a")) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("what cannot be written is found out early", "[file]") {
  const Folder folder;
  const std::string inside = folder.file("nowhere/a");
  CHECK(message_of<Error>([&] { OutputFile{inside}.require_writable(); }) ==
        "cannot write " + inside + ": No such file or directory");
  CHECK_THROWS_WITH(OutputFile{folder.file("")}, ContainsSubstring("it is not a file"));
}

TEST_CASE("a link stays a link", "[file]") {
  const Folder folder;
  OutputFile{folder.file("a")}.write("old");
  std::filesystem::create_symlink("a", folder.file("link"));
  OutputFile{folder.file("link")}.write("new");
  CHECK(std::filesystem::is_symlink(folder.file("link")));
  CHECK(read_file(folder.file("a")) == "new");
}

TEST_CASE("a link to what is not there yet stays a link", "[file]") {
  const Folder folder;
  std::filesystem::create_directory(folder.file("other"));
  std::filesystem::create_symlink("other/second", folder.file("first"));
  std::filesystem::create_symlink("a", folder.file("other/second"));
  const OutputFile file{folder.file("first")};
  file.require_writable();
  CHECK(std::filesystem::equivalent(file.path().parent_path(), folder.file("other")));
  for (const char* content : {"made", "replaced"}) {
    OutputFile{folder.file("first")}.write(content);
    CHECK(std::filesystem::read_symlink(folder.file("first")) == "other/second");
    CHECK(std::filesystem::read_symlink(folder.file("other/second")) == "a");
    CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(folder.file("other/a"))));
    CHECK(read_file(folder.file("other/a")) == content);
  }
  CHECK(folder.files() == 2);

  std::filesystem::create_symlink("loop", folder.file("loop"));
  CHECK(message_of<Error>([&] { OutputFile{folder.file("loop")}; }) ==
        "cannot write " + folder.file("loop") + ": Too many levels of symbolic links");
  std::filesystem::create_symlink("nowhere/a", folder.file("lost"));
  CHECK(message_of<Error>([&] { OutputFile{folder.file("lost")}.require_writable(); }) ==
        "cannot write " + folder.file("lost") + ": No such file or directory");
}

TEST_CASE("a new file has the mode of the umask, a replaced one keeps its own", "[file]") {
  const Folder folder;
  for (const ::mode_t mask : {0022U, 0077U, 0002U, 0000U}) {
    with_umask(mask, [&] {
      std::filesystem::remove(folder.file("a"));
      std::ofstream{folder.file("a.part")} << "of a process that was killed";
      ::chmod(folder.file("a.part").c_str(), 0600);
      OutputFile{folder.file("a")}.write("new");
      CHECK(mode_of(folder.file("a")) == (0666U & ~mask));
      std::filesystem::remove(folder.file("a"));
      OutputFile{folder.file("a")}.replace([](const std::string& path) { std::ofstream{path} << "made"; });
      CHECK(mode_of(folder.file("a")) == (0666U & ~mask));
    });
  }
  std::filesystem::create_symlink("a", folder.file("link"));
  for (const ::mode_t mode : {0600U, 0664U, 0640U, 0755U, 0222U}) {
    with_umask(0022, [&] {
      ::chmod(folder.file("a").c_str(), mode);
      OutputFile{folder.file("a")}.require_writable();
      CHECK(mode_of(folder.file("a")) == mode);
      OutputFile{folder.file("a")}.write("new");
      CHECK(mode_of(folder.file("a")) == mode);
      OutputFile{folder.file("link")}.replace([](const std::string& path) {
        CHECK(mode_of(path) == 0600U);  // never open to more than the old file
        std::ofstream{path} << "made";
      });
      CHECK(mode_of(folder.file("a")) == mode);
    });
  }
}

TEST_CASE("a replaced file keeps its owner and group, where the process may set them", "[file]") {
  if (::geteuid() != 0) return;
  const Folder folder;
  OutputFile{folder.file("a")}.write("old");
  REQUIRE(::chown(folder.file("a").c_str(), 12345, 23456) == 0);
  OutputFile{folder.file("a")}.write("new");
  struct ::stat status {};
  REQUIRE(::stat(folder.file("a").c_str(), &status) == 0);
  CHECK(status.st_uid == 12345);
  CHECK(status.st_gid == 23456);
}

TEST_CASE("a read-only file is not replaced, by root neither", "[file]") {
  const Folder folder;
  OutputFile{folder.file("a")}.write("old");
  std::filesystem::create_symlink("a", folder.file("link"));
  ::chmod(folder.file("a").c_str(), 0444);
  for (const char* name : {"a", "link"}) {
    const OutputFile file{folder.file(name)};
    const std::string told = "cannot write " + folder.file(name) + ": it is read-only";
    CHECK(message_of<Error>([&] { file.require_writable(); }) == told);
    CHECK(message_of<Error>([&] { file.write("new"); }) == told);
    CHECK(message_of<Error>([&] { file.replace([](const std::string&) { FAIL("called"); }); }) == told);
  }
  CHECK(read_file(folder.file("a")) == "old");
  CHECK(mode_of(folder.file("a")) == 0444U);
  CHECK(folder.files() == 2);
}

TEST_CASE("devices, pipes and descriptors are written in place", "[file]") {
  const Folder folder;
  const OutputFile null{"/dev/null"};
  CHECK(null.in_place());
  null.require_writable();
  null.write("nothing");
  null.replace([](const std::string& path) { std::ofstream{path} << "nothing"; });
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK(message_of<Error>([] { OutputFile{"/dev/full"}.write("x"); }) ==
        "cannot write /dev/full: No space left on device");

  const Pipe pipe;
  const OutputFile into{pipe.path(1)};
  CHECK(into.in_place());
  into.require_writable();
  into.write("first ");
  into.replace([](const std::string& path) { std::ofstream{path} << "second"; });
  CHECK(pipe.read() == "first second");
  CHECK(message_of<Error>([&] { OutputFile{pipe.path(0)}.require_writable(); }) ==
        "cannot write " + pipe.path(0) + ": it is open for reading alone");
  CHECK_THROWS_WITH(OutputFile{"/dev/fd/987654"}.require_writable(), ContainsSubstring("Bad file descriptor"));

  // By a link, as /dev/stdout is one: a log that stands behind the descriptor grows.
  const int log = ::open(folder.file("log").c_str(), O_WRONLY | O_CREAT, 0644);
  REQUIRE(log >= 0);
  REQUIRE(::write(log, "before ", 7) == 7);
  std::filesystem::create_symlink("/proc/self/fd/" + std::to_string(log), folder.file("out"));
  const OutputFile out{folder.file("out")};
  out.require_writable();
  out.write("table ");
  REQUIRE(::write(log, "after", 5) == 5);
  ::close(log);
  CHECK(read_file(folder.file("log")) == "before table after");

  const std::string fifo = folder.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const OutputFile named{fifo};
  named.require_writable();  // without a reader: it does not wait for one
  CHECK_THROWS_WITH(read_file(fifo), ContainsSubstring("it is not a file"));
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  named.write("through");
  char text[10];
  CHECK(::read(reader, text, sizeof text) == 7);
  ::close(reader);
  CHECK(std::filesystem::is_fifo(fifo));
  CHECK(folder.files() == 3);
}

TEST_CASE("what cannot be read says why", "[file]") {
  const Folder folder;
  CHECK(message_of<FormatError>([&] { read_file(folder.file("a")); }) ==
        folder.file("a") + ": No such file or directory");
  CHECK_THROWS_WITH(read_file(folder.file("")), ContainsSubstring("it is not a file"));
  CHECK_THROWS_WITH(read_file("/dev/zero"), ContainsSubstring("it is not a file"));
}

TEST_CASE("of two who write one file at a time, the second is refused", "[file]") {
  const Folder folder;
  const OutputFile file{folder.file("a")};
  file.replace([&](const std::string& path) {
    std::ofstream{path} << "first";
    CHECK(message_of<Error>([&] { OutputFile{folder.file("a")}.write("second"); }) ==
          "cannot write " + folder.file("a") + ": something else is writing it");
  });
  CHECK(read_file(folder.file("a")) == "first");
  CHECK(folder.files() == 1);
}

TEST_CASE("what a killed writer left behind is removed", "[file]") {
  const Folder folder;
  std::ofstream{folder.file("a.part")} << "something long that was never finished";
  OutputFile{folder.file("a")}.write("new");
  CHECK(read_file(folder.file("a")) == "new");
  CHECK(folder.files() == 1);

  std::filesystem::create_symlink("a", folder.file("b.part"));  // none of ours
  CHECK(message_of<Error>([&] { OutputFile{folder.file("b")}.write("other"); }) ==
        "cannot write " + folder.file("b") + ": " + folder.file("b.part") + " is in the way");
  CHECK(read_file(folder.file("a")) == "new");
}
