#pragma once

#include <cstdint>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"

namespace altmin {

/// One operation of all ranks, on memory of each.
struct RankOperation {
  enum class Kind { sum_of_floats, sum_of_doubles, sum_of_integers, broadcast };

  Kind kind = Kind::broadcast;
  void* data = nullptr;
  Index count = 0;  // of numbers; of bytes in a broadcast
  int root = 0;     // of a broadcast

  Index bytes() const {
    switch (kind) {
      case Kind::sum_of_floats: return count * static_cast<Index>(sizeof(float));
      case Kind::sum_of_doubles: return count * static_cast<Index>(sizeof(double));
      case Kind::sum_of_integers: return count * static_cast<Index>(sizeof(std::int64_t));
      default: return count;
    }
  }
};

/// For messages: "a sum of floats (500 in all)".
inline std::string to_string(const RankOperation& operation) {
  constexpr const char* kinds[] = {"a sum of floats", "a sum of doubles", "a sum of integers", "a broadcast"};
  return kinds[static_cast<int>(operation.kind)] + (" (" + detail::text(operation.count) + " in all)");
}

/// The ranks that train one network together, as one of them knows them: processes of an MPI job (component `mpi`),
/// threads of one process (ThreadRanks), or this program alone. A network borrows it, see Network::set_communicator().
///
/// All ranks call the same operations, in the same order, with as many numbers: an operation returns once all have
/// called it. A sum is the same bits on all ranks and in every run of the same number of ranks. Operations are called
/// by the thread that calls step(), never within a parallel loop. Where one fails it throws an Error, and the training
/// of all ranks is at an end: a run goes on from its last checkpoint.
class Communicator {
 public:
  virtual ~Communicator() = default;

  /// The number of this rank, 0 .. size() - 1.
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Replaces each number by its sum over all ranks.
  void sum(float* numbers, Index count) { run({RankOperation::Kind::sum_of_floats, numbers, count}); }
  void sum(double* numbers, Index count) { run({RankOperation::Kind::sum_of_doubles, numbers, count}); }
  void sum(std::int64_t* numbers, Index count) { run({RankOperation::Kind::sum_of_integers, numbers, count}); }

  /// Replaces these bytes by those of rank `root`.
  void broadcast(void* bytes, Index count, int root) { run({RankOperation::Kind::broadcast, bytes, count, root}); }

  /// Runs any of these operations.
  virtual void run(const RankOperation& operation) = 0;

 protected:
  Communicator() = default;
  Communicator(const Communicator&) = default;
  Communicator& operator=(const Communicator&) = default;
};

/// One rank: all operations leave what they are given.
class Alone : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void run(const RankOperation&) override {}
};

}  // namespace altmin
