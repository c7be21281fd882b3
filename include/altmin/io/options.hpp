#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/field_visitor.hpp"
#include "altmin/training/text.hpp"

/// @file
/// Options structs as JSON, by their fields(): an object of booleans, numbers ("inf", "-inf", "nan" where JSON has
/// none), strings, names of enumerators, lists, null for what is not set, and objects.

namespace altmin {

namespace detail {

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

/// What JSON visitors share: options are no matrices.
class JsonVisitor : public FieldVisitor {
 public:
  void matrix(const std::string& name, Matrix<float>&) override { refuse(name); }
  void matrix(const std::string& name, Matrix<double>&) override { refuse(name); }
  void array(const std::string& name, Matrix<float>&, const ArrayFormat&) override { refuse(name); }
  void array(const std::string& name, Matrix<double>&, const ArrayFormat&) override { refuse(name); }

 private:
  [[noreturn]] static void refuse(const std::string& name) {
    throw Error("option '" + name + "': expected no matrix, which belongs to the state");
  }
};

/// Writes what it is shown.
class JsonWriter : public JsonVisitor {
 public:
  explicit JsonWriter(nlohmann::json& root) : open_{&root} { root = nlohmann::json::object(); }

  void boolean(const std::string& name, bool& value) override { place(name) = value; }
  void integer(const std::string& name, std::int64_t& value, std::int64_t, std::int64_t) override {
    place(name) = value;
  }
  void natural(const std::string& name, std::uint64_t& value, std::uint64_t) override { place(name) = value; }
  void real(const std::string& name, double& value) override {
    nlohmann::json& to = place(name);
    if (std::isfinite(value)) {
      to = value;
    } else {
      to = number(value);
    }
  }
  void text(const std::string& name, std::string& value) override { place(name) = value; }
  void choice(const std::string& name, std::size_t& value, Span<const char* const> names) override {
    place(name) = names[static_cast<Index>(value)];
  }
  void json(const std::string& name, nlohmann::json& value) { place(name) = value; }

  void enter(const std::string& name) override {
    nlohmann::json& child = place(name);
    child = nlohmann::json::object();
    open_.push_back(&child);
  }
  void leave() override { open_.pop_back(); }
  bool present(const std::string& name, bool value) override {
    if (!value) place(name) = nullptr;
    return value;
  }
  std::size_t length(std::size_t count) override {
    *open_.back() = nlohmann::json::array();
    return count;
  }

 private:
  /// Where the next value goes.
  nlohmann::json& place(const std::string& name) {
    nlohmann::json& parent = *open_.back();
    if (name.empty()) return parent;
    if (!parent.is_array()) return parent[name];
    parent.push_back(nullptr);
    return parent.back();
  }

  std::vector<nlohmann::json*> open_;
};

/// Replaces what it is shown by what the JSON holds, and leaves what the JSON lacks. Throws FormatError for anything
/// that has no place, or that its place cannot hold. finish() ends it.
class JsonReader : public JsonVisitor {
 public:
  JsonReader(const nlohmann::json& root, std::string where) { open_.push_back({&root, std::move(where)}); }

  void boolean(const std::string& name, bool& value) override {
    const auto* const found = find(name);
    if (found == nullptr) return;
    require(found->is_boolean(), name, "true or false", *found);
    value = found->get<bool>();
  }
  void integer(const std::string& name, std::int64_t& value, std::int64_t least, std::int64_t most) override {
    const auto* const found = find(name);
    if (found == nullptr) return;
    const bool fits = found->is_number_unsigned() ? found->get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                                                  : found->is_number_integer() && found->get<std::int64_t>() >= least &&
                                                        found->get<std::int64_t>() <= most;
    require(fits, name, "a whole number, up to " + std::to_string(most), *found);
    value = found->get<std::int64_t>();
  }
  void natural(const std::string& name, std::uint64_t& value, std::uint64_t most) override {
    const auto* const found = find(name);
    if (found == nullptr) return;
    require(found->is_number_unsigned() && found->get<std::uint64_t>() <= most, name,
            "a whole number of 0 or more, up to " + std::to_string(most), *found);
    value = found->get<std::uint64_t>();
  }
  void real(const std::string& name, double& value) override {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto* const found = find(name);
    if (found == nullptr) return;
    if (found->is_number()) {
      value = found->get<double>();
    } else if (*found == "inf" || *found == "-inf") {
      value = *found == "inf" ? infinity : -infinity;
    } else {
      require(*found == "nan", name, "a number", *found);
      value = std::numeric_limits<double>::quiet_NaN();
    }
  }
  void text(const std::string& name, std::string& value) override {
    const auto* const found = find(name);
    if (found == nullptr) return;
    require(found->is_string(), name, "a string", *found);
    value = found->get<std::string>();
  }
  void choice(const std::string& name, std::size_t& value, Span<const char* const> names) override {
    const auto* const found = find(name);
    if (found == nullptr) return;
    std::string known;
    for (Index i = 0; i < names.size(); ++i) {
      if (*found == names[i]) {
        value = static_cast<std::size_t>(i);
        return;
      }
      known += (i > 0 ? ", " : "") + std::string(names[i]);
    }
    require(false, name, "one of " + known, *found);
  }
  void json(const std::string& name, nlohmann::json& value) {
    const auto* const found = find(name);
    if (found != nullptr) value = *found;
  }

  void enter(const std::string& name) override {
    const auto* const found = find(name);
    open_.push_back({found, path(name)});
  }
  void leave() override {
    finish();
    open_.pop_back();
  }
  bool present(const std::string& name, bool value) override {
    const auto* const found = find(name);
    return found == nullptr ? value : !found->is_null();
  }
  std::size_t length(std::size_t count) override {
    Open& list = open_.back();
    if (list.value == nullptr) return count;
    require(list.value->is_array(), "", "a list", *list.value);
    list.kind = Open::Kind::list;
    return list.value->size();
  }

  /// Throws FormatError for what has not been read.
  void finish() {
    const Open& object = open_.back();
    if (object.value == nullptr || object.kind != Open::Kind::object) return;
    require(object.value->is_object(), "", "an object", *object.value);
    for (const auto& entry : object.value->items()) {
      if (object.read.count(entry.key()) > 0) continue;
      throw FormatError(object.where + ": there is no option '" + shown(entry.key()) + "' in this version");
    }
  }

 private:
  /// A value that has been entered.
  struct Open {
    enum class Kind { object, list, leaf };

    const nlohmann::json* value;  // null: missing
    std::string where;
    Kind kind = Kind::object;
    std::set<std::string> read{};  // names, of an object
  };

  std::string path(const std::string& name) const {
    const Open& parent = open_.back();
    if (name.empty()) return parent.where;
    return parent.kind == Open::Kind::list ? parent.where + "[" + name + "]" : parent.where + "." + name;
  }

  void require(bool holds, const std::string& name, const std::string& expected, const nlohmann::json& got) const {
    if (!holds) throw FormatError(path(name) + ": expected " + expected + ", got " + shown_json(got));
  }

  /// The value of this name; null where there is none.
  const nlohmann::json* find(const std::string& name) {
    Open& parent = open_.back();
    if (name.empty()) {
      parent.kind = Open::Kind::leaf;
      return parent.value;
    }
    if (parent.value == nullptr) return nullptr;
    if (parent.kind == Open::Kind::list) return &(*parent.value)[std::stoul(name)];
    require(parent.value->is_object(), "", "an object", *parent.value);
    parent.read.insert(name);
    const auto found = parent.value->find(name);
    return found == parent.value->end() ? nullptr : &*found;
  }

  std::vector<Open> open_;
};

}  // namespace detail

/// The JSON of an options struct, or of a part of one.
template <class T>
nlohmann::json options_to_json(T value) {
  nlohmann::json json;
  detail::JsonWriter writer{json};
  visit_part(writer, "", value);
  return json;
}

/// Reads such JSON into a struct; what the file lacks keeps its value. Throws FormatError, naming `where`, for anything
/// that the struct has no field for, or that the field cannot hold.
template <class T>
void read_options(const nlohmann::json& json, T& value, const std::string& where) {
  detail::JsonReader reader{json, where};
  visit_part(reader, "", value);
  reader.finish();
}

}  // namespace altmin
