# What only those get who build altmin itself: nothing here reaches a project that uses it.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

# The floor, unless asked for another: the headers are clean as C++17, 20 and 23.
if(NOT CMAKE_CXX_STANDARD)
  set(CMAKE_CXX_STANDARD 17)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)

# An error with -DCMAKE_COMPILE_WARNING_AS_ERROR=ON.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Warn of registers that g++ 12's own intrinsics leave uninitialized on purpose (GCC bug 105593).
  add_compile_options(-Wno-maybe-uninitialized -Wno-uninitialized)
endif()

include(${CMAKE_CURRENT_LIST_DIR}/docs.cmake)

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# The target all_verify_interface_header_sets compiles every header alone.
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

find_program(ALTMIN_CCACHE ccache)
mark_as_advanced(ALTMIN_CCACHE)
if(ALTMIN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ALTMIN_CCACHE})
endif()
