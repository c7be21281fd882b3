#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/fields.hpp"
#include "altmin/training/text.hpp"

namespace altmin {

namespace detail {

template <class T>
constexpr bool is_vector = false;
template <class T>
constexpr bool is_vector<std::vector<T>> = true;

template <class T>
constexpr bool is_map = false;
template <class T>
constexpr bool is_map<std::map<std::string, T>> = true;

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

/// What a message shows of text that a stranger wrote: its beginning, in ASCII.
inline std::string shown(std::string_view text) {
  constexpr std::size_t limit = 60;
  std::string result;
  for (const char c : text.substr(0, limit)) result += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > limit ? result + "..." : result;
}

inline std::string shown_json(const nlohmann::json& value) { return shown(value.dump()); }

/// What parse_json() refuses besides what is no JSON; takes the events of nlohmann's sax_parse().
class JsonCheck {
 public:
  explicit JsonCheck(const std::string& where) : where_{where} {}

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(std::int64_t) { return true; }
  bool number_unsigned(std::uint64_t) { return true; }
  bool number_float(double, const std::string&) { return true; }
  bool string(std::string&) { return true; }
  template <class Bytes>
  bool binary(Bytes&) {  // JSON has none
    return true;
  }
  bool start_object(std::size_t) { return enter(); }
  bool key(std::string& name) {
    if (names_.back().insert(name).second) return true;
    throw FormatError(where_ + ": the name '" + shown(name) + "' stands there twice");
  }
  bool end_object() { return leave(); }
  bool start_array(std::size_t) { return enter(); }
  bool end_array() { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
    throw FormatError(where_ + ": expected JSON, got " + shown(error.what()));
  }

 private:
  bool enter() {
    constexpr std::size_t deepest = 17;
    if (names_.size() == deepest) throw FormatError(where_ + ": expected JSON of up to 16 levels, got more");
    names_.emplace_back();
    return true;
  }
  bool leave() {
    names_.pop_back();
    return true;
  }

  const std::string& where_;
  std::vector<std::set<std::string>> names_;  // of the objects around the present value, empty for lists
};

/// Parses JSON that may be anything, in time that grows with its length. Throws FormatError, also for a name twice in
/// one object, for values more than 16 deep, and for a byte order mark or a NUL, which end the text for some parsers.
inline nlohmann::json parse_json(std::string_view text, const std::string& where) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") throw FormatError(where + ": expected JSON, got a byte order mark");
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    throw FormatError(where + ": expected JSON, got a NUL at byte " + std::to_string(nul));
  }
  // Checked before the values are made: a callback of parse() takes quadratic time for many values in one object.
  JsonCheck check{where};
  nlohmann::json::sax_parse(text.begin(), text.end(), &check);
  try {
    return nlohmann::json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(where + ": expected JSON, got " + shown(error.what()));
  }
}

}  // namespace detail

/// An options struct as JSON, by its fields(): an object of booleans, numbers ("inf", "-inf", "nan" where JSON has
/// none), strings, names of enumerators, lists, null for what is not set, and objects.
template <class T>
nlohmann::json options_to_json(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return names(value)[static_cast<std::size_t>(value)];
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return detail::number(static_cast<double>(value));
    return static_cast<double>(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, nlohmann::json>) {
    return value;
  } else if constexpr (detail::is_optional<T>) {
    return value ? options_to_json(*value) : nlohmann::json{};
  } else if constexpr (detail::is_vector<T>) {
    auto list = nlohmann::json::array();
    for (const auto& element : value) list.push_back(options_to_json(element));
    return list;
  } else if constexpr (detail::is_map<T>) {
    auto object = nlohmann::json::object();
    for (const auto& entry : value) object[entry.first] = options_to_json(entry.second);
    return object;
  } else {
    static_assert(has_fields<T> || std::is_empty_v<T>,
                  "altmin: options that go into a file are listed by fields(), see altmin/core/fields.hpp");
    auto object = nlohmann::json::object();
    if constexpr (has_fields<T>) {
      T::fields([&](const char* name, const auto& part) { object[name] = options_to_json(part); }, value);
    }
    return object;
  }
}

/// Reads such JSON into a struct; what the file lacks keeps its value. Throws FormatError, naming `where`, for anything
/// that the struct has no field for, or that the field cannot hold.
template <class T>
void read_options(const nlohmann::json& json, T& value, const std::string& where) {
  const auto require = [&](bool holds, const std::string& expected) {
    if (!holds) throw FormatError(where + ": expected " + expected + ", got " + detail::shown_json(json));
  };
  if constexpr (std::is_enum_v<T>) {
    std::string known;
    const auto all = names(value);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (json == all[i]) {
        value = static_cast<T>(i);
        return;
      }
      known += (i > 0 ? ", " : "") + std::string(all[i]);
    }
    require(false, "one of " + known);
  } else if constexpr (std::is_same_v<T, bool>) {
    require(json.is_boolean(), "true or false");
    value = json.template get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    const bool fits = json.is_number_unsigned()
                          ? json.template get<std::uint64_t>() <= limit
                          : std::is_signed_v<T> && json.is_number_integer() &&
                                json.template get<std::int64_t>() >=
                                    static_cast<std::int64_t>(std::numeric_limits<T>::min());  // below 0: not unsigned
    require(fits, "a whole number" + std::string(std::is_signed_v<T> ? "" : " of 0 or more") + ", up to " +
                      std::to_string(limit));
    value = json.template get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double number = std::numeric_limits<double>::quiet_NaN();
    if (json.is_number()) {
      number = json.template get<double>();
    } else if (json == "inf" || json == "-inf") {
      number = json == "inf" ? infinity : -infinity;
    } else {
      require(json == "nan", "a number");
    }
    value = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, nlohmann::json>) {
    value = json;
  } else if constexpr (std::is_same_v<T, std::string>) {
    require(json.is_string(), "a string");
    value = json.template get<std::string>();
  } else if constexpr (detail::is_optional<T>) {
    value.reset();
    if (!json.is_null()) read_options(json, value.emplace(), where);
  } else if constexpr (detail::is_vector<T>) {
    require(json.is_array(), "a list");
    value.clear();
    for (const auto& element : json) {
      value.emplace_back();
      read_options(element, value.back(), where + "[" + std::to_string(value.size() - 1) + "]");
    }
  } else if constexpr (detail::is_map<T>) {
    require(json.is_object(), "an object");
    value.clear();
    for (const auto& entry : json.items()) {
      read_options(entry.value(), value[entry.key()], where + "." + detail::shown(entry.key()));
    }
  } else {
    require(json.is_object(), "an object");
    std::set<std::string> known;
    if constexpr (has_fields<T>) {
      T::fields(
          [&](const char* name, auto& part) {
            known.insert(name);
            const auto found = json.find(name);
            if (found != json.end()) read_options(*found, part, where + "." + name);
          },
          value);
    }
    for (const auto& entry : json.items()) {
      if (known.count(entry.key()) == 0) {
        throw FormatError(where + ": there is no option '" + detail::shown(entry.key()) + "' in this version");
      }
    }
  }
}

}  // namespace altmin
