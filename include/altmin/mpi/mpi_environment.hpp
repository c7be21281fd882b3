#pragma once

#include <exception>
#include <ostream>
#include <string>

#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/mpi/mpi_communicator.hpp"

namespace altmin {

/// MPI during the lifetime of this object, of which a process has one, once. Where it is destroyed by an exception it
/// ends the whole job, as the other ranks may wait for this one: catch in its scope what is to be reported, or use
/// run_on_mpi().
class MpiEnvironment {
 public:
  /// Throws an Error where MPI has been initialised before, or has no MPI_THREAD_FUNNELED.
  MpiEnvironment() {
    int initialized = 0;
    MPI_Initialized(&initialized);
    if (initialized != 0) throw Error("MpiEnvironment: expected to be the first of this process, MPI is initialised");
    int level = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level);
    if (level < MPI_THREAD_FUNNELED) {
      MPI_Finalize();
      throw Error("MpiEnvironment: expected an MPI with MPI_THREAD_FUNNELED, got level " + detail::text(level));
    }
  }
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  ~MpiEnvironment() {
    if (std::uncaught_exceptions() > exceptions_) abort();
    MPI_Finalize();
  }

  /// Ends the processes of all ranks; mpirun returns 1.
  [[noreturn]] static void abort() {
    MPI_Abort(MPI_COMM_WORLD, 1);
    std::terminate();
  }

 private:
  int exceptions_ = std::uncaught_exceptions();
};

/// main() of a program that mpirun starts: calls body(communicator) on each rank, and returns what it returns. Where it
/// throws on one rank, writes the error to `errors`, a line that begins with `name`, and ends the whole job.
inline int run_on_mpi(const std::string& name, std::ostream& errors, FunctionRef<int(Communicator&)> body) {
  const MpiEnvironment environment;
  MpiCommunicator communicator;
  std::string sentence;
  try {
    return body(communicator);
  } catch (const std::exception& error) {
    sentence = error.what();
  } catch (...) {
    sentence = "an exception of unknown kind";
  }
  const bool named = sentence.rfind("rank ", 0) == 0;  // an error that ranks agreed on says which one it is from
  const std::string rank = named ? "" : "rank " + detail::text(communicator.rank()) + ": ";
  errors << name + ": " + rank + sentence + "\n" << std::flush;  // in one piece: ranks share a stream
  MpiEnvironment::abort();
}

}  // namespace altmin
