#include "altmin/parallel/watched_ranks.hpp"

#include <future>
#include <string>
#include <vector>

#include "altmin/parallel/thread_ranks.hpp"
#include "catch.hpp"
#include "message_of.hpp"

using altmin::Communicator;
using altmin::ThreadRanks;
using altmin::WatchedRanks;

TEST_CASE("WatchedRanks: a rank that waits for long says so once, with its operation", "[ranks]") {
  std::vector<std::string> reports;  // of rank 2
  std::promise<void> reported;
  int numbers[] = {1, 2, 3};
  const auto is_expected = [](const std::string& sentence) {
    return sentence.find("rank 2 has waited ") == 0 &&
           sentence.find(" s for others in operation 2, a broadcast (4 in all)") != std::string::npos;
  };
  ThreadRanks{3}.run([&](Communicator& ranks) {
    const auto report = [&](const std::string& sentence) {
      reports.push_back(sentence);
      if (is_expected(sentence)) reported.set_value();  // once, or this throws
    };
    const bool watched = ranks.rank() == 2;
    WatchedRanks communicator{ranks, {watched ? 0.01 : 0}, report, [] {}};
    double number = 1;
    communicator.sum(&number, 1);
    if (ranks.rank() == 1) reported.get_future().wait();
    communicator.broadcast(&numbers[ranks.rank()], sizeof(int), 1);
  });
  CHECK(is_expected(reports.back()));
  CHECK(numbers[2] == 2);
}

TEST_CASE("WatchedRanks: at its limit a rank ends the job", "[ranks]") {
  std::string report;
  std::promise<void> ended;
  ThreadRanks{2}.run([&](Communicator& ranks) {
    if (ranks.rank() == 1) {
      ended.get_future().wait();
      double number = 0;
      return ranks.sum(&number, 1);
    }
    WatchedRanks communicator{
        ranks, {0, 0.01}, [&](const std::string& sentence) { report = sentence; }, [&] { ended.set_value(); }};
    double number = 0;
    communicator.sum(&number, 1);
  });
  CHECK(report.find("rank 0 has waited ") == 0);
  CHECK(report.find(" s for others in operation 1, a sum of doubles (1 in all): the job ends") != std::string::npos);
}

TEST_CASE("WatchedRanks: a failure of the ranks passes through", "[ranks]") {
  std::string error;
  CHECK_THROWS_AS(ThreadRanks{2}.run([&](Communicator& ranks) {
    WatchedRanks communicator{ranks, {}, [](const std::string&) {}, [] {}};
    if (ranks.rank() == 1) throw std::logic_error("no data");
    double number = 0;
    try {
      communicator.sum(&number, 1);
    } catch (const altmin::Error& caught) {
      error = caught.what();
      throw;
    }
  }),
                  std::logic_error);
  CHECK(error == "ranks: rank 1 has failed (no data) while others waited for it in a sum of doubles (1 in all)");
}

TEST_CASE("WatchedRanks: expects limits above 0", "[ranks]") {
  altmin::Alone alone;
  const auto make = [&](altmin::StallLimits limits) { WatchedRanks{alone, limits, [](const std::string&) {}, [] {}}; };
  CHECK(support::message_of<altmin::OptionError>([&] { make({-1}); }) ==
        "StallLimits: report_after must be 0 or more, got -1");
  CHECK(support::message_of<altmin::OptionError>([&] {
          make({1, -2});
        }) == "StallLimits: end_after must be 0 or more, got -2");
}
