#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/parallel/communicator.hpp"

/// What ranks decide together: one that is alone in an error, or in its wish to stop, would leave the others waiting.

namespace altmin::detail {

/// What one rank has to say: its text, or none.
struct RankText {
  int rank = 0;
  std::string text;
};

/// Each rank gives a number, 0 or more, or a text that is not empty. Returns the text of the first rank that has one;
/// if none has, sets numbers[rank] to the number of each rank. One message, unless there is a text.
inline RankText gather_or_first_text(Communicator& communicator, std::vector<std::int64_t>& numbers,
                                     std::int64_t number, const std::string& text) {
  const auto rank = static_cast<std::size_t>(communicator.rank());
  numbers.assign(static_cast<std::size_t>(communicator.size()), 0);
  numbers[rank] = text.empty() ? number : -static_cast<std::int64_t>(text.size());
  communicator.sum(numbers.data(), static_cast<Index>(numbers.size()));
  const auto first = std::find_if(numbers.begin(), numbers.end(), [](std::int64_t value) { return value < 0; });
  if (first == numbers.end()) return {};
  const auto root = static_cast<std::size_t>(first - numbers.begin());
  std::string result = text;
  result.resize(static_cast<std::size_t>(-*first));
  communicator.broadcast(result.data(), static_cast<Index>(result.size()), static_cast<int>(root));
  return {static_cast<int>(root), result};
}

/// The text of the first rank that has one; empty if none has.
inline std::string first_text(Communicator& communicator, const std::string& text) {
  std::vector<std::int64_t> unused;
  return gather_or_first_text(communicator, unused, 0, text).text;
}

/// The text of rank 0.
inline std::string broadcast_text(Communicator& communicator, std::string text) {
  auto size = static_cast<std::int64_t>(text.size());
  communicator.broadcast(&size, sizeof size, 0);
  text.resize(static_cast<std::size_t>(size));
  communicator.broadcast(text.data(), static_cast<Index>(size), 0);
  return text;
}

/// An Error as text: a letter for its class, and the sentence.
inline std::string error_to_text(const Error& error) {
  const char kind = dynamic_cast<const ShapeError*>(&error) != nullptr    ? 'S'
                    : dynamic_cast<const OptionError*>(&error) != nullptr ? 'O'
                    : dynamic_cast<const DataError*>(&error) != nullptr   ? 'D'
                    : dynamic_cast<const FormatError*>(&error) != nullptr ? 'F'
                                                                          : 'E';
  return kind + std::string{error.what()};
}

[[noreturn]] inline void throw_error(const RankText& failure) {
  const std::string sentence = "rank " + text(failure.rank) + ": " + failure.text.substr(1);
  switch (failure.text.front()) {
    case 'S': throw ShapeError(sentence);
    case 'O': throw OptionError(sentence);
    case 'D': throw DataError(sentence);
    case 'F': throw FormatError(sentence);
    default: throw Error(sentence);
  }
}

/// Calls local() on each rank, and sets numbers[rank] to what it returns there, 0 or more. Where it throws an Error on
/// some ranks, all throw that of the first of them.
inline void agree(Communicator& communicator, std::vector<std::int64_t>& numbers, FunctionRef<std::int64_t()> local) {
  std::int64_t number = 0;
  std::string failure;
  try {
    number = local();
  } catch (const Error& error) {
    failure = error_to_text(error);
  }
  const RankText first = gather_or_first_text(communicator, numbers, number, failure);
  if (!first.text.empty()) throw_error(first);
}

/// The same without numbers.
inline void agree(Communicator& communicator, FunctionRef<void()> check) {
  std::vector<std::int64_t> unused;
  agree(communicator, unused, [&]() -> std::int64_t {
    check();
    return 0;
  });
}

}  // namespace altmin::detail
