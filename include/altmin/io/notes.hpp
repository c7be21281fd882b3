#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "altmin/core/error.hpp"
#include "altmin/io/architecture.hpp"
#include "altmin/io/model.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/safetensors.hpp"

namespace altmin {

namespace detail {

template <class T, class = void>
constexpr bool can_be_invalid = false;
template <class T>
constexpr bool can_be_invalid<T, std::void_t<decltype(std::declval<const T&>().require_valid())>> = true;

}  // namespace detail

/// Writes a value with fields() into a file's notes, as JSON: what belongs to a network besides its layers, such as the
/// schema of the tables that it reads. Throws Error for text that is not UTF-8.
///
///     Notes notes;
///     set_note(notes, "table", schema);
///     save_model(net, path, notes);                              // or Checkpoint{path, 0, notes}
///     const auto same = load_note<TableSchema>(path, "table");   // in another program
template <class T>
void set_note(Notes& notes, const std::string& name, const T& value) {
  try {
    notes[name] = options_to_json(value).dump();
  } catch (const nlohmann::json::exception& error) {
    throw Error("note '" + detail::shown(name) + "': a file can hold text alone: " + error.what());
  }
}

/// Reads such a value; what the note lacks keeps its default. Throws FormatError where there is no such note, or it
/// holds another value, or one that T::require_valid() refuses, where there is that function.
template <class T>
T get_note(const Notes& notes, const std::string& name) {
  const std::string where = "note '" + detail::shown(name) + "'";
  const auto found = notes.find(name);
  if (found == notes.end()) throw FormatError("expected a " + where + ", got a file without it");
  T value{};
  read_options(detail::parse_json(found->second, where), value, where);
  if constexpr (detail::can_be_invalid<T>) detail::refuse_as_format(where, [&] { value.require_valid(); });
  return value;
}

/// The same from a model or a checkpoint.
template <class T>
T load_note(const std::string& path, const std::string& name) {
  const Notes notes = load_notes(path);
  try {
    return get_note<T>(notes, name);
  } catch (const FormatError& error) {
    throw FormatError(path + ": " + error.what());
  }
}

}  // namespace altmin
