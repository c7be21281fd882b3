#pragma once

#include <string>

#include "catch.hpp"

namespace support {

/// The message of the Error that `call` throws; the test fails where it throws something else or nothing.
template <class Error, class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  FAIL("expected an exception");
  return {};
}

}  // namespace support
