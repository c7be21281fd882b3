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
  void run(const RankOperation& operation) override {
    const MPI_Datatype type = type_of(operation.kind);
    char* const bytes = static_cast<char*>(operation.data);
    constexpr Index most = Index{1} << 30;  // MPI counts in int
    for (Index first = 0; first < operation.count; first += most) {
      const int count = static_cast<int>(std::min(most, operation.count - first));
      char* const part = bytes + first * (operation.bytes() / operation.count);
      if (operation.kind == RankOperation::Kind::broadcast) {
        MPI_Bcast(part, count, type, operation.root, communicator_);
      } else {
        MPI_Allreduce(MPI_IN_PLACE, part, count, type, MPI_SUM, communicator_);
      }
    }
  }

 private:
  static MPI_Datatype type_of(RankOperation::Kind kind) {
    switch (kind) {
      case RankOperation::Kind::sum_of_floats: return MPI_FLOAT;
      case RankOperation::Kind::sum_of_doubles: return MPI_DOUBLE;
      case RankOperation::Kind::sum_of_integers: return MPI_INT64_T;
      default: return MPI_BYTE;
    }
  }

  MPI_Comm communicator_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace altmin
