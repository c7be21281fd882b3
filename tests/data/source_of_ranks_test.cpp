#include "altmin/data/source_of_ranks.hpp"

#include <optional>
#include <string>
#include <vector>

#include "altmin/data/batches.hpp"
#include "altmin/parallel/thread_ranks.hpp"
#include "catch.hpp"

using altmin::Batch;
using altmin::Communicator;
using altmin::Index;
using altmin::SourceOfRanks;
using altmin::ThreadRanks;

namespace {

/// Samples in batches of 2; of rank r, so many, which are 100 r, 100 r + 1, ...
altmin::Dataset<double> samples_of(int rank, Index count) {
  altmin::Matrix<double> x(1, count);
  for (Index t = 0; t < count; ++t) x(0, t) = static_cast<double>(100 * rank + t);
  return {x, altmin::Matrix<double>(-x)};
}

altmin::BatchOptions pairs() {
  altmin::BatchOptions options;
  options.batch_size = 2;
  return options;
}

/// The batches of a source, each as its samples: "0,1"; "|" between passes.
std::string read(altmin::BatchSource<double>& source, int passes) {
  std::string text;
  for (int pass = 0; pass < passes; ++pass) {
    while (const Batch<double>* const batch = source.next()) {
      text += " ";
      if (batch->x.rows() != 1 || batch->targets.rows() != 1 || batch->targets.cols() != batch->size()) text += "shape";
      for (Index t = 0; t < batch->size(); ++t) text += (t > 0 ? "," : "") + altmin::detail::text(batch->x(0, t));
      if (batch->size() == 0) text += "-";
    }
    text += " |";
  }
  return text;
}

/// Breaks, or is stopped, where `what` says so for its second batch.
class Fragile : public altmin::BatchSource<double> {
 public:
  enum class What { nothing, breaks, is_stopped };

  Fragile(int rank, What what) : data_{samples_of(rank, 6)}, batches_{data_, in_order()}, what_{what} {}

  const Batch<double>* next() override {
    stopped_ = taken_ == 1 && what_ == What::is_stopped;
    if (stopped_) {
      what_ = What::nothing;
      return nullptr;
    }
    if (taken_++ == 1 && what_ == What::breaks) throw altmin::DataError("the table ends within a row");
    return batches_.next();
  }
  bool stopped() const override { return stopped_; }

  static altmin::BatchOptions in_order() {
    altmin::BatchOptions options = pairs();
    options.shuffle = false;
    return options;
  }

 private:
  altmin::Dataset<double> data_;
  altmin::Batches<double> batches_;
  What what_;
  int taken_ = 0;
  bool stopped_ = false;
};

}  // namespace

TEST_CASE("SourceOfRanks: a pass ends with the longest, and empty batches stand for what others lack", "[ranks]") {
  std::vector<std::string> got(3);
  std::vector<Index> batches(3);
  ThreadRanks{3}.run([&](Communicator& communicator) {
    const int rank = communicator.rank();
    const auto data = samples_of(rank, 3 + 2 * (rank % 2));
    altmin::Batches<double> own{data, Fragile::in_order()};
    SourceOfRanks<double> source{own, communicator};
    batches[std::size_t(rank)] = source.info().batches;
    got[std::size_t(rank)] = read(source, 2);
  });
  CHECK(got[0] == " 0,1 2 - | 0,1 2 - |");
  CHECK(got[1] == " 100,101 102,103 104 | 100,101 102,103 104 |");
  CHECK(got[2] == " 200,201 202 - | 200,201 202 - |");
  CHECK(batches == std::vector<Index>{3, 3, 3});
}

TEST_CASE("SourceOfRanks: goes to any batch, also where a rank's pass has ended", "[ranks]") {
  const auto read_on = [](std::optional<std::pair<Index, Index>> place, int passes) {
    std::vector<std::string> got(2);
    ThreadRanks{2}.run([&](Communicator& communicator) {
      const int rank = communicator.rank();
      const auto data = samples_of(rank, rank == 0 ? 3 : 9);
      altmin::Batches<double> own{data, pairs()};  // shuffled
      SourceOfRanks<double> source{own, communicator};
      if (place) source.seek(place->first, place->second);
      got[std::size_t(rank)] = read(source, passes);
    });
    return got;
  };
  const auto whole = read_on(std::nullopt, 3);
  for (const Index batch : {0, 1, 2, 3, 4, 5}) {
    CAPTURE(batch);
    const auto rest = read_on(std::pair<Index, Index>{1, batch}, 2);
    for (std::size_t rank = 0; rank < 2; ++rank) {
      const std::string& all = whole[rank];
      CHECK(all.size() > rest[rank].size());
      CHECK(all.substr(all.size() - rest[rank].size()) == rest[rank]);
      CHECK(std::count(rest[rank].begin(), rest[rank].end(), ' ') == 5 - batch + 1 + 5 + 1);
    }
  }
}

TEST_CASE("SourceOfRanks: what stops one stops all, and loses nothing", "[ranks]") {
  std::vector<std::string> got(2);
  ThreadRanks{2}.run([&](Communicator& communicator) {
    const int rank = communicator.rank();
    Fragile own{rank, rank == 1 ? Fragile::What::is_stopped : Fragile::What::nothing};
    SourceOfRanks<double> source{own, communicator};
    std::string& text = got[std::size_t(rank)];
    text = read(source, 1);
    text += source.stopped() ? "stopped" : "ended";
    text += read(source, 1);
    text += source.stopped() ? "stopped" : "ended";
  });
  CHECK(got[0] == " 0,1 |stopped 2,3 4,5 |ended");
  CHECK(got[1] == " 100,101 |stopped 102,103 104,105 |ended");
}

TEST_CASE("SourceOfRanks: an error of one is the same error on all", "[ranks]") {
  std::vector<std::string> errors(2);
  ThreadRanks{2}.run([&](Communicator& communicator) {
    const int rank = communicator.rank();
    Fragile own{rank, rank == 1 ? Fragile::What::breaks : Fragile::What::nothing};
    SourceOfRanks<double> source{own, communicator};
    try {
      read(source, 1);
    } catch (const altmin::DataError& error) {
      errors[std::size_t(rank)] = error.what();
    }
  });
  CHECK(errors == std::vector<std::string>(2, "rank 1: the table ends within a row"));
}
