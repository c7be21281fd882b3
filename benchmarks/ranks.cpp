// Parts of benchmarks/ranks.sh: what a step of several ranks sends, and how long steps and sums take.
//
//   altmin_ranks ledger                                  messages and bytes of a step, as counted and by formula
//   altmin_ranks sends ALGORITHM SIZES                   a line for each message of ten steps: its bytes
//   altmin_ranks step ALGORITHM SIZES BATCH THREADS TENS [own]
//                                                        seconds a step of all ranks on one batch; or of each on its
//                                                        own
//   altmin_ranks sums                                    bytes, and seconds of a sum of so many
//
// SIZES is 784-500-500-10 and its like; BATCH is that of all ranks; TENS of steps are timed. Run by mpirun; alone it is
// one rank.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "altmin/altmin.hpp"
#include "altmin/mpi.hpp"
#include "altmin/parallel/thread_ranks.hpp"

namespace {

using altmin::Communicator;
using altmin::Index;
using Network = altmin::Network<float>;
using Sizes = std::vector<Index>;

Sizes sizes_of(const std::string& text) {
  Sizes sizes;
  std::istringstream in{text};
  for (std::string part; std::getline(in, part, '-');) sizes.push_back(std::stoll(part));
  return sizes;
}

Network make_network(const std::string& algorithm, const Sizes& sizes) {
  altmin::Layers<float> layers{sizes.front()};
  for (std::size_t i = 1; i + 1 < sizes.size(); ++i) layers.add(altmin::Dense{sizes[i]}).add(altmin::Relu{});
  layers.add(altmin::Dense{sizes.back()});
  const auto make = [&](const auto& options) {
    return Network{layers, altmin::SoftmaxCrossEntropy{}, options, altmin::Seed{1}};
  };
  if (algorithm == "adam") return make(altmin::Adam{});
  if (algorithm == "am-adam") return make(altmin::AmAdam{});
  if (algorithm == "am-mem") return make(altmin::AmMem{});
  if (algorithm == "am-mem-full") return make(altmin::AmMemFull{});
  throw altmin::OptionError("algorithm: expected adam, am-adam, am-mem or am-mem-full, got " + algorithm);
}

/// Noise with random labels: what a step takes does not depend on the data.
struct Data {
  Data(const Sizes& sizes, Index samples) : x(sizes.front(), samples), y(samples) {
    altmin::Random random{altmin::Seed{2}};
    for (auto& value : x.reshaped()) value = static_cast<float>(random.uniform(-1, 1));
    for (auto& label : y) label = static_cast<int>(random.below(static_cast<std::uint32_t>(sizes.back())));
  }

  altmin::Matrix<float> x;
  altmin::Labels y;
};

/// Notes the bytes of each operation.
class NotingRanks : public Communicator {
 public:
  explicit NotingRanks(Communicator& ranks) : ranks_{ranks} {}

  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }
  void run(const altmin::RankOperation& operation) override {
    bytes.push_back(operation.bytes());
    ranks_.run(operation);
  }

  std::vector<Index> bytes;

 private:
  Communicator& ranks_;
};

constexpr Index warm_up = 12;  // steps: the first ones of a memory are others

/// The messages of each of the steps that follow the first ones, of two ranks.
std::vector<std::vector<Index>> messages(const std::string& algorithm, const Sizes& sizes, Index steps) {
  std::vector<std::vector<Index>> result;
  altmin::ThreadRanks{2}.run([&](Communicator& communicator) {
    NotingRanks noting{communicator};
    Network net = make_network(algorithm, sizes);
    net.set_threads(1);
    net.set_communicator(noting);
    const Data data{sizes, 2};
    for (Index i = 0; i < warm_up + steps; ++i) {
      noting.bytes.clear();
      net.step(data.x, data.y);
      if (communicator.rank() == 0 && i >= warm_up) result.push_back(noting.bytes);
    }
  });
  return result;
}

struct Sent {
  Index messages = 0;
  Index bytes = 0;
};

/// What a step of fully connected layers sends, of P ranks in float: by reading the algorithms. `remembers`: it updates
/// a memory.
Sent formula(const std::string& algorithm, const Sizes& sizes, bool remembers) {
  constexpr Index ranks = 2;
  const Index blocks = static_cast<Index>(sizes.size()) - 1;
  const Index codes = blocks - 1;
  Index parameters = 0;
  Index outputs = 0;
  Index inputs = 0;
  Index squares = 0;  // of both sides of all maps, biases among the inputs
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    const Index in = sizes[i - 1];
    const Index out = sizes[i];
    parameters += out * (in + 1);
    inputs += in;
    outputs += out;
    squares += (in + 1) * (in + 1) + out * out;
  }
  // The samples of each rank, the loss, the gradients of each block.
  Sent sent{2 + blocks, 8 * ranks + 8 + 4 * parameters};
  const auto add = [&](Index messages, Index bytes) {
    sent.messages += messages;
    sent.bytes += bytes;
  };
  if (algorithm == "adam") return sent;
  add(codes, 24 * codes);  // three squares of each code
  if (algorithm == "am-mem") {
    add(1, 8 * codes);         // penalties
    add(blocks, 4 * outputs);  // mean squares of the residuals
    const Index rank = altmin::AmMem{}.rank;
    Index directions = 0;
    for (std::size_t i = 0; i + 1 < sizes.size(); ++i) directions += sizes[i] * std::min(rank, sizes[i]);
    if (remembers) add(3 * blocks, 4 * (inputs + directions) + 8 * blocks);
    return sent;
  }
  add(1, 8);  // the penalty of the lowest code
  if (algorithm == "am-adam") return sent;
  add(2 * blocks, 24 * blocks);  // squares
  // The gradient of a map is its velocity.
  if (remembers) add(2 * blocks, 4 * squares);
  return sent;
}

int print_ledger() {
  std::cout << "| step of two ranks | messages | formula | bytes | formula |\n| --- | --: | --: | --: | --: |\n";
  bool equal = true;
  for (const char* const net : {"784-500-500-10", "784-2048-2048-10"}) {
    const Sizes sizes = sizes_of(net);
    for (const char* const algorithm : {"adam", "am-adam", "am-mem", "am-mem-full"}) {
      if (std::string{algorithm} == "am-mem-full" && sizes[1] > 1000) continue;  // its roots take minutes
      std::vector<Sent> kinds;  // of steps, the one that sends more last
      for (const auto& step : messages(algorithm, sizes, 10)) {
        Sent sent{static_cast<Index>(step.size()), 0};
        for (const Index bytes : step) sent.bytes += bytes;
        const auto same = [&](const Sent& other) { return other.bytes == sent.bytes; };
        if (std::none_of(kinds.begin(), kinds.end(), same)) kinds.push_back(sent);
      }
      std::sort(kinds.begin(), kinds.end(), [](const Sent& a, const Sent& b) { return a.bytes < b.bytes; });
      for (std::size_t i = 0; i < kinds.size(); ++i) {
        const Sent expected = formula(algorithm, sizes, i > 0);
        std::cout << "| " << algorithm << (i > 0 ? ", updates memories" : "") << ", " << net << " | "
                  << kinds[i].messages << " | " << expected.messages << " | " << kinds[i].bytes << " | "
                  << expected.bytes << " |\n";
        equal = equal && kinds[i].messages == expected.messages && kinds[i].bytes == expected.bytes;
      }
    }
  }
  if (!equal) std::cerr << "altmin_ranks: formulas differ from what was counted\n";
  return equal ? 0 : 1;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// The seconds that use() takes, on the rank that takes longest; all begin together.
double seconds_of(Communicator& communicator, const std::function<void()>& use) {
  using Clock = std::chrono::steady_clock;
  double all = 0;
  communicator.sum(&all, 1);
  const auto start = Clock::now();
  use();
  std::vector<double> each(static_cast<std::size_t>(communicator.size()));
  each[std::size_t(communicator.rank())] = std::chrono::duration<double>(Clock::now() - start).count();
  communicator.sum(each.data(), communicator.size());
  return *std::max_element(each.begin(), each.end());
}

/// Of tens of steps the median time of a step.
double seconds_per_step(Communicator& communicator, const std::string& algorithm, const Sizes& sizes, Index batch,
                        int threads, int tens, bool own) {
  Network net = make_network(algorithm, sizes);
  net.set_threads(threads);
  if (!own) net.set_communicator(communicator);
  const Index first = batch * communicator.rank() / communicator.size();
  const Data data{sizes, batch * (communicator.rank() + 1) / communicator.size() - first};
  const auto run = [&](Index steps) {
    for (Index i = 0; i < steps; ++i) net.step(data.x, data.y);
  };
  run(warm_up);
  std::vector<double> times;
  for (int i = 0; i < tens; ++i) times.push_back(seconds_of(communicator, [&] { run(10); }) / 10);
  return median(times);
}

void print_sums(Communicator& communicator) {
  for (Index bytes = 8; bytes <= Index{1} << 25; bytes *= 2) {
    std::vector<float> numbers(static_cast<std::size_t>(bytes / 4));
    const Index repeats = std::clamp((Index{1} << 22) / bytes, Index{1}, Index{200});
    std::vector<double> times;
    for (int i = 0; i < 15; ++i) {
      times.push_back(seconds_of(communicator,
                                 [&] {
                                   for (Index k = 0; k < repeats; ++k) communicator.sum(numbers.data(), bytes / 4);
                                 }) /
                      static_cast<double>(repeats));
    }
    if (communicator.rank() == 0) std::cout << bytes << ' ' << median(times) << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string{}; };
  return altmin::run_on_mpi("altmin_ranks", std::cerr, [&](Communicator& communicator) {
    if (word(0) == "ledger") return print_ledger();
    if (word(0) == "sums") {
      print_sums(communicator);
      return 0;
    }
    if (word(0) == "sends" && words.size() == 3) {
      for (const auto& step : messages(word(1), sizes_of(word(2)), 10)) {
        for (const Index bytes : step) std::cout << bytes << '\n';
      }
      return 0;
    }
    if (word(0) == "step" && words.size() >= 6) {
      const double seconds = seconds_per_step(communicator, word(1), sizes_of(word(2)), std::stoll(word(3)),
                                              std::stoi(word(4)), std::stoi(word(5)), word(6) == "own");
      if (communicator.rank() == 0) std::cout << seconds << '\n';
      return 0;
    }
    throw altmin::OptionError("expected ledger, sends, step or sums, see ranks.cpp");
  });
}
