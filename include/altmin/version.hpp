#pragma once

// The version of the library; CMake reads it from here.
#define ALTMIN_VERSION_MAJOR 0
#define ALTMIN_VERSION_MINOR 1
#define ALTMIN_VERSION_PATCH 0
