#pragma once

#include <cstdint>

#include "altmin/core/types.hpp"

namespace altmin {

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
  virtual void sum(float* numbers, Index count) = 0;
  virtual void sum(double* numbers, Index count) = 0;
  virtual void sum(std::int64_t* numbers, Index count) = 0;

  /// Replaces these bytes by those of rank `root`.
  virtual void broadcast(void* bytes, Index count, int root) = 0;

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
  void sum(float*, Index) override {}
  void sum(double*, Index) override {}
  void sum(std::int64_t*, Index) override {}
  void broadcast(void*, Index, int) override {}
};

}  // namespace altmin
