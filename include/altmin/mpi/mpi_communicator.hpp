#pragma once

// The C interface alone: the C++ one of MPI 2 is no part of MPI any more.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <algorithm>
#include <cstdint>

#include "altmin/core/types.hpp"
#include "altmin/parallel/communicator.hpp"

namespace altmin {

/// The processes of an MPI communicator, which is borrowed, and used by nothing else meanwhile. MPI has been
/// initialised, with MPI_THREAD_FUNNELED at least where networks have several threads (see MpiEnvironment): all its
/// calls come from the thread that steps. Errors of MPI go to the communicator's error handler, which ends the job
/// unless it was changed.
///
/// That a sum is the same bits on all ranks, and in every run of as many ranks on the same machines, is what MPI
/// advises its implementations to do; those of Open MPI and MPICH do, by default.
class MpiCommunicator : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm communicator = MPI_COMM_WORLD) : communicator_{communicator} {
    MPI_Comm_rank(communicator, &rank_);
    MPI_Comm_size(communicator, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void sum(float* numbers, Index count) override { sum_all(numbers, count, MPI_FLOAT); }
  void sum(double* numbers, Index count) override { sum_all(numbers, count, MPI_DOUBLE); }
  void sum(std::int64_t* numbers, Index count) override { sum_all(numbers, count, MPI_INT64_T); }
  void broadcast(void* bytes, Index count, int root) override {
    in_parts(count, [&](Index first, int size) {
      MPI_Bcast(static_cast<char*>(bytes) + first, size, MPI_BYTE, root, communicator_);
    });
  }

 private:
  template <class Number>
  void sum_all(Number* numbers, Index count, MPI_Datatype type) {
    in_parts(count, [&](Index first, int size) {
      MPI_Allreduce(MPI_IN_PLACE, numbers + first, size, type, MPI_SUM, communicator_);
    });
  }

  /// MPI counts in int.
  template <class Call>
  static void in_parts(Index count, Call&& call) {
    constexpr Index most = Index{1} << 30;
    for (Index first = 0; first < count; first += most) call(first, static_cast<int>(std::min(most, count - first)));
  }

  MPI_Comm communicator_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace altmin
