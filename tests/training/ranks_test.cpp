// fit() on several ranks.

#include "altmin/training/ranks.hpp"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "altmin/altmin.hpp"
#include "altmin/parallel/thread_ranks.hpp"
#include "catch.hpp"

using altmin::Communicator;
using altmin::Index;
using altmin::ThreadRanks;

namespace {

altmin::Dataset<double> points(Index samples, bool labels = true) {
  altmin::Random random{altmin::Seed{3}};
  altmin::Matrix<double> x(6, samples);
  altmin::Labels y(samples);
  for (Index t = 0; t < samples; ++t) {
    y(t) = static_cast<int>(random.below(3));
    for (Index i = 0; i < x.rows(); ++i) x(i, t) = random.normal() + (i % 3 == y(t) ? 2 : 0);
  }
  if (labels) return {x, y, 3};
  return {x, altmin::Matrix<double>(x.topRows(2))};
}

altmin::Network<double> net_of(Index outputs, std::uint64_t seed) {
  altmin::Layers<double> layers{6};
  layers.add(altmin::Dense{5}).add(altmin::Dropout{0.2}).add(altmin::Relu{}).add(altmin::Dense{outputs});
  if (outputs == 2) return {layers, altmin::MeanSquaredError{}, altmin::AmAdam{}, altmin::Seed{seed}};
  return {layers, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam{}, altmin::Seed{seed}};
}

altmin::FitOptions fit_options() {
  altmin::FitOptions options;
  options.epochs = 3;
  options.batch_size = 7;
  return options;
}

struct Fitted {
  altmin::Network<double> net;
  altmin::FitReport report;
};

/// fit() on so many ranks; all but rank 0 begin with other weights. fit(communicator, net) calls it.
template <class Fit>
std::vector<Fitted> fit_on(int ranks, Index outputs, const Fit& fit) {
  std::vector<Fitted> results(std::size_t(ranks), {net_of(outputs, 1), {}});
  ThreadRanks{ranks}.run([&](Communicator& communicator) {
    auto& [net, report] = results[std::size_t(communicator.rank())];
    net = net_of(outputs, static_cast<std::uint64_t>(communicator.rank() + 1));
    net.set_threads(1);
    net.set_communicator(communicator);
    report = fit(communicator, net);
  });
  return results;
}

}  // namespace

TEST_CASE("fit on several ranks ends as on one, on all of them", "[ranks]") {
  const bool labels = GENERATE(true, false);
  const auto data = points(40, labels);  // an epoch's last batch has 5 samples
  const auto fit = [&](Communicator&, auto& net) {
    return altmin::fit(net, data, fit_options(), altmin::CosineDecay{});
  };
  const auto one = fit_on(1, labels ? 3 : 2, fit).front();
  for (const int ranks : {2, 3, 7}) {
    CAPTURE(ranks);
    const auto several = fit_on(ranks, labels ? 3 : 2, fit);
    for (const auto& [net, report] : several) {
      CHECK(net == several.front().net);
      CHECK(report.steps == 18);
      CHECK(report.epochs == 3);
      CHECK(std::abs(report.loss - one.report.loss) < 1e-12);
    }
    const altmin::Matrix<double> expected = one.net.predict(data.x());
    CHECK((several.front().net.predict(data.x()) - expected).cwiseAbs().maxCoeff() < 1e-10);
  }
}

TEST_CASE("fit on several ranks ends on all where a callback of one says so", "[ranks]") {
  const auto data = points(40);
  const auto results = fit_on(3, 3, [&](Communicator& communicator, auto& net) {
    struct StopAt {
      Index step;
      altmin::Stop after_step(const altmin::Training<double>& t) const {
        return {t.step == step ? "time is up" : std::string{}};
      }
    };
    return altmin::fit(net, data, fit_options(), StopAt{communicator.rank() == 1 ? 4 : 1000});
  });
  for (const auto& [net, report] : results) {
    CHECK(report.steps == 4);
    CHECK(report.end == altmin::FitEnd::callback);
    CHECK(report.reason == "time is up");
    CHECK(net == results.front().net);
  }
}

TEST_CASE("fit on several ranks begins where rank 0 does", "[ranks]") {
  const auto data = points(42);
  const auto results = fit_on(2, 3, [&](Communicator& communicator, auto& net) {
    struct Continue {
      bool here;
      void begin(altmin::Training<double>& t) const {
        if (!here) return;
        t.epoch = 1;
        t.step = 6;
        t.net.layers()[0].parameters()[1].values().setConstant(3);
      }
    };
    auto options = fit_options();
    options.epochs = 1;
    return altmin::fit(net, data, options, Continue{communicator.rank() == 0});
  });
  for (const auto& [net, report] : results) {
    CHECK(report.steps == 6);
    CHECK(net.layers()[0].parameters()[1].value() == altmin::Matrix<double>::Constant(5, 1, 3));
    CHECK(net == results.front().net);
  }
}

TEST_CASE("fit on several ranks takes the same batches of any source, and ends on all where one is stopped",
          "[ranks]") {
  struct Repeated : altmin::BatchSource<double> {
    const altmin::Batch<double>* next() override {
      if (stopped() || taken == 6) return nullptr;
      data = points(size, true);
      ++taken;
      return &batch.emplace(altmin::Batch<double>{data.x(), {data.y().data(), data.size()}, {}});
    }
    bool stopped() const override { return taken == stop_at; }

    altmin::Index taken = 0;
    altmin::Index stop_at = -1;
    altmin::Index size = 7;
    altmin::Dataset<double> data;
    std::optional<altmin::Batch<double>> batch;
  };
  altmin::FitOptions options;
  options.epochs = 1;
  const auto one = fit_on(1, 3, [&](Communicator&, auto& net) {
                     Repeated source;
                     return altmin::fit(net, source, options);
                   }).front();
  const auto three = fit_on(3, 3, [&](Communicator&, auto& net) {
    Repeated source;
    return altmin::fit(net, source, options);
  });
  for (const auto& [net, report] : three) {
    CHECK(net == three.front().net);
    CHECK(report.epochs == 1);
    CHECK(report.steps == 6);
    CHECK(std::abs(report.loss - one.report.loss) < 1e-12);
  }
  const auto stopped = fit_on(2, 3, [&](Communicator& communicator, auto& net) {
    Repeated source;
    if (communicator.rank() == 1) source.stop_at = 4;
    return altmin::fit(net, source, options);
  });
  for (const auto& [net, report] : stopped) {
    CHECK(report.end == altmin::FitEnd::stopped);
    CHECK(report.steps == 4);
    CHECK(net == stopped.front().net);
  }
  fit_on(2, 3, [&](Communicator& communicator, auto& net) {
    Repeated source;
    source.size -= communicator.rank();
    CHECK_THROWS_WITH(altmin::fit(net, source, options),
                      "fit: expected batches of the same sizes on all ranks, got others from the source");
    return altmin::FitReport{};
  });
}

TEST_CASE("fit on several ranks expects the same data sizes and options, and good data on each", "[ranks]") {
  const auto error_of = [](const auto& fit) {
    std::vector<std::string> errors(2);
    fit_on(2, 3, [&](Communicator& communicator, auto& net) {
      try {
        fit(communicator.rank(), net);
      } catch (const altmin::Error& error) {
        errors[std::size_t(communicator.rank())] = error.what();
      }
      return altmin::FitReport{};
    });
    CHECK(errors[0] == errors[1]);
    return errors[0];
  };
  CHECK(error_of([](int rank, auto& net) { altmin::fit(net, points(40 - rank), fit_options()); }) ==
        "rank 1: fit: expected samples 40, as on rank 0, got samples 39");
  CHECK(error_of([](int rank, auto& net) {
          auto options = fit_options();
          options.seed.value += static_cast<std::uint64_t>(rank);
          altmin::fit(net, points(40), options);
        }) == "rank 1: fit: expected seed: value 0, as on rank 0, got seed: value 1");
  CHECK(error_of([](int rank, auto& net) {
          auto data = points(40);
          if (rank == 1) data = altmin::Dataset<double>{};
          altmin::fit(net, data, fit_options());
        }) == "rank 1: fit: expected at least 1 sample, got an empty data set");
}

TEST_CASE("fit on ranks that have data of their own, of other lengths, trains on one batch of each at a time",
          "[ranks]") {
  const bool weighted = GENERATE(false, true);
  const bool labels = GENERATE(true, false);
  const auto part_of = [&](int rank) {
    constexpr Index sizes[] = {20, 33, 8};
    const auto all = points(61, labels);
    const Index first = rank == 0 ? 0 : rank == 1 ? 20 : 53;
    const altmin::Matrix<double> x = all.x().middleCols(first, sizes[rank]);
    altmin::Dataset<double> part =
        labels ? altmin::Dataset<double>{x, altmin::Labels(all.y().segment(first, sizes[rank])), 3}
               : altmin::Dataset<double>{x, altmin::Matrix<double>(all.targets().middleCols(first, sizes[rank]))};
    if (weighted) part.set_weights(altmin::Vector<double>::LinSpaced(sizes[rank], 0.5, 2));
    return part;
  };
  altmin::BatchOptions batch_options;
  batch_options.batch_size = 7;
  altmin::FitOptions options;
  options.epochs = 2;
  const auto results = fit_on(3, labels ? 3 : 2, [&](Communicator& communicator, auto& net) {
    const auto data = part_of(communicator.rank());
    altmin::Batches<double> own{data, batch_options};
    altmin::SourceOfRanks<double> source{own, communicator};
    return altmin::fit(net, source, options);
  });

  // The same on one rank, batch by batch.
  auto expected = net_of(labels ? 3 : 2, 1);
  const std::vector<altmin::Dataset<double>> data{part_of(0), part_of(1), part_of(2)};
  double loss = 0;
  double samples = 0;
  std::vector<altmin::Batches<double>> sources;
  for (const auto& part : data) sources.emplace_back(part, batch_options);
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<bool> ended(3);
    loss = samples = 0;
    for (int step = 0; step < 5; ++step) {
      altmin::Matrix<double> x(6, 21);
      altmin::Matrix<double> targets(2, 21);
      altmin::Labels y(21);
      altmin::Vector<double> weights(21);
      Index size = 0;
      for (std::size_t rank = 0; rank < 3; ++rank) {
        const auto* const batch = ended[rank] ? nullptr : sources[rank].next();
        ended[rank] = batch == nullptr;
        if (batch == nullptr) continue;
        x.middleCols(size, batch->size()) = batch->x;
        if (labels) y.segment(size, batch->size()) = batch->y;
        if (!labels) targets.middleCols(size, batch->size()) = batch->targets;
        if (weighted) weights.segment(size, batch->size()) = batch->weights.transpose();
        size += batch->size();
      }
      const auto train = [&](const auto& target) {
        return weighted ? expected.step(x.leftCols(size), target, weights.head(size))
                        : expected.step(x.leftCols(size), target);
      };
      const auto report = labels ? train(y.head(size)) : train(targets.leftCols(size));
      CHECK(report.samples == size);
      loss += report.loss * static_cast<double>(size);
      samples += static_cast<double>(size);
    }
    for (std::size_t rank = 0; rank < 3; ++rank) {
      if (!ended[rank]) CHECK(sources[rank].next() == nullptr);
    }
  }
  CHECK(samples == 61);
  const altmin::Matrix<double> x = points(61).x();
  for (const auto& [net, report] : results) {
    CHECK(report.steps == 10);
    CHECK(report.epochs == 2);
    CHECK(std::abs(report.loss - loss / samples) < 1e-12);
    CHECK(net == results.front().net);
    CHECK((net.predict(x) - expected.predict(x)).cwiseAbs().maxCoeff() < 1e-10);
  }
}
