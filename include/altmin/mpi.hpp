#pragma once

/// Component `mpi`: ranks that are processes of an MPI job. Links MPI.

#include "altmin/mpi/mpi_communicator.hpp"
#include "altmin/mpi/mpi_environment.hpp"
