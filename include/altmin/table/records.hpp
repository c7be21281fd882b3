#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/types.hpp"
#include "altmin/readers/csv_source.hpp"
#include "altmin/readers/text_window.hpp"
#include "altmin/table/schema.hpp"

namespace altmin::detail {

/// Splits a text into records of fields, in constant memory. A record is a line, and goes on over line ends within
/// quotes. Lines end in LF, CR LF or CR; empty ones, comments, and byte order marks in front of a record are passed
/// over. White space around a field is no part of it, unless it stands within the quotes.
template <class Bytes>
class RecordReader {
 public:
  enum class Status { record, bad, end };

  /// The format must be valid. Throws DataError as OpenSource does.
  RecordReader(const Source& source, const TableFormat& format, Index longest)
      : name_{source.name()},
        separator_{format.separator},
        comment_{format.comment},
        longest_{longest},
        window_{source, longest} {
    for (const char c : {'\n', '\r', separator_, separator_ == ' ' ? '\t' : separator_}) {
      classes_[static_cast<unsigned char>(c)] = Class::end;
    }
    for (const char c : {'"', '\0'}) classes_[static_cast<unsigned char>(c)] = Class::special;
  }

  /// Goes to the next record; false where there is none. Throws DataError for UTF-16 text and damaged gzip data.
  bool find_record() {
    const auto c = static_cast<unsigned char>(*window_.at());  // at the end a line feed
    if (c > ' ' && c < 128 && c != static_cast<unsigned char>(comment_)) return true;
    return pass_between_records();
  }

  /// Splits the record that find_record() has found, and goes on behind it. The fields are valid until the next call.
  /// Status::bad: problem() says what is wrong with it, and its first line has been passed over.
  Status split(std::vector<std::string_view>& fields) {
    problem_.clear();
    for (;;) {
      fields.clear();
      unescaped_.clear();
      const char* const next = split_window(fields);
      const Index length = (next != nullptr ? next : window_.end()) - window_.at();
      if (problem_.empty() && length > longest_) {
        problem_ = "expected at most " + detail::text(longest_) + " bytes, got more" +
                   (open_quote_ ? " (is a closing quote missing?)" : "");
      } else if (problem_.empty() && next == nullptr) {
        if (grow()) continue;
        problem_ = "expected a closing quote, got the end of the text";
      }
      ++line_;
      line_of_record_ = line_;
      if (!problem_.empty()) {
        pass_line();
        return Status::bad;
      }
      line_ += line_ends_within_;
      window_.pass(next);
      return Status::record;
    }
  }

  /// For what reads a record from the window itself: its text, where each byte of a class stops a field.
  enum class Class : unsigned char { inner, end, special };
  Class class_of(char c) const { return classes_[static_cast<unsigned char>(c)]; }
  const TextWindow<Bytes>& window() const { return window_; }

  /// A field without the white space around it.
  std::string_view trimmed(const char* first, const char* end) const {
    while (first != end && is_blank(*first)) ++first;
    while (end != first && is_blank(end[-1])) --end;
    return {first, static_cast<std::size_t>(end - first)};
  }

  /// Goes on behind a record of one line whose line end stands at `line_end`; false where that cannot be told yet.
  bool pass_record(const char* line_end) {
    const char* const next = behind_line_end(line_end);
    if (next == nullptr || next - window_.at() > longest_) return false;
    line_of_record_ = ++line_;
    window_.pass(next);
    return true;
  }

  /// The line that the next record begins with.
  std::string first_line() {
    if (!find_record()) return {};
    for (;;) {
      const char* const line_end = find_line_end();
      if (line_end != window_.end() || window_.end() - window_.at() > longest_ || !grow()) {
        return {window_.at(), line_end};
      }
    }
  }

  const std::string& name() const { return name_; }
  const std::string& problem() const { return problem_; }

  /// The number of the line at which the last record began.
  Index line() const { return line_of_record_; }

  void cancel() { window_.cancel(); }

 private:
  bool grow() {
    try {
      return window_.grow();
    } catch (const DamagedGzip& damage) {
      throw DataError(name_ + ", line " + detail::text(line_ + 1) +
                      ": expected sound gzip data, got: " + damage.reason);
    }
  }

  bool pass_between_records() {
    for (;;) {
      const char* at = window_.at();
      if (at == window_.end() && window_.complete()) return false;
      if (window_.end() - at < 3 && grow()) continue;  // a mark is known by up to three bytes
      const std::string_view text{at, static_cast<std::size_t>(window_.end() - at)};
      if (text.substr(0, 3) == "\xef\xbb\xbf") {
        window_.pass(at + 3);
        continue;
      }
      if (line_ == 0 && (text.substr(0, 2) == "\xff\xfe" || text.substr(0, 2) == "\xfe\xff")) {
        throw DataError(name_ + ": expected UTF-8 text, got UTF-16: convert it by iconv -f UTF-16 -t UTF-8");
      }
      at = behind_blanks(at);
      const bool is_comment = comment_ != '\0' && at != window_.end() && *at == comment_;
      if (is_comment) {
        pass_line();
        ++line_;
        continue;
      }
      if (at == window_.end() && !window_.complete() && at - window_.at() <= longest_ && grow()) continue;
      if (*at != '\n' && *at != '\r') return true;
      const char* const next = behind_line_end(at);
      if (next == nullptr) {
        if (at - window_.at() > longest_) return true;
        grow();
        continue;
      }
      ++line_;
      window_.pass(next);
    }
  }

  /// Splits what the window holds; null where the record goes on beyond it, or has a problem().
  const char* split_window(std::vector<std::string_view>& fields) {
    line_ends_within_ = 0;
    open_quote_ = false;
    const char* at = window_.at();
    for (;;) {
      at = behind_blanks(at);
      at = *at == '"' ? split_quoted(at + 1, fields) : split_plain(at, fields);
      if (at == nullptr) return nullptr;
      at = behind_blanks(at);
      if (*at == '\n' || *at == '\r') return behind_line_end(at);
      if (*at == separator_) ++at;  // else blanks have separated
    }
  }

  /// A field without quotes. This and the next function return the field's end, or null as above.
  const char* split_plain(const char* at, std::vector<std::string_view>& fields) {
    const char* const first = at;
    while (class_of(*at) != Class::end) {
      if (*at == '\0') return set_problem(nul_problem);
      ++at;
    }
    fields.push_back(trimmed(first, at));
    return at;
  }

  /// A field in quotes, the first of which is passed.
  const char* split_quoted(const char* at, std::vector<std::string_view>& fields) {
    open_quote_ = true;
    const char* const first = at;
    bool doubled = false;
    for (;; at += 2) {
      at = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(window_.end() - at)));
      if (at == nullptr || (at + 1 == window_.end() && !window_.complete())) return nullptr;
      if (at[1] != '"') break;
      doubled = true;
    }
    open_quote_ = false;
    const std::string_view text{first, static_cast<std::size_t>(at - first)};
    if (text.find('\0') != std::string_view::npos) return set_problem(nul_problem);
    line_ends_within_ += count_line_ends(text);
    fields.push_back(doubled ? unescape(text) : text);
    ++at;
    if (class_of(*at) == Class::end) return at;
    const char* const end = behind_blanks(at);
    if (end == window_.end() && !window_.complete()) return nullptr;
    if (class_of(*end) == Class::end || (separator_ == ' ' && end != at)) return end;
    return set_problem("expected a separator behind a quoted field, got " + in_quotes(std::string_view{end, 1}));
  }

  static constexpr const char* nul_problem =
      "expected text, got a NUL byte (UTF-16? convert it by iconv -f UTF-16 -t UTF-8)";

  std::nullptr_t set_problem(const std::string& problem) {
    problem_ = problem;
    return nullptr;
  }

  std::string_view unescape(std::string_view text) {
    std::string& copy = unescaped_.emplace_back();
    for (std::size_t i = 0; i < text.size(); ++i) {
      copy += text[i];
      if (text[i] == '"') ++i;
    }
    const std::size_t size = copy.size();
    copy.append(csv_padding, '\0');  // it may be read as a number
    return std::string_view{copy}.substr(0, size);
  }

  static Index count_line_ends(std::string_view text) {
    Index count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool within = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
      count += text[i] == '\n' || (text[i] == '\r' && !within) ? 1 : 0;
    }
    return count;
  }

  /// Behind a line's end; null where more text is needed to tell.
  const char* behind_line_end(const char* at) const {
    const char* const end = window_.end();
    if (at >= end) return window_.complete() ? end : nullptr;
    if (*at == '\n') return at + 1;
    if (at + 1 == end) return window_.complete() ? end : nullptr;
    return at[1] == '\n' ? at + 2 : at + 1;
  }

  /// The end of the line in the window, or the window's.
  const char* find_line_end() const {
    const char* at = window_.at();
    while (*at != '\n' && *at != '\r') ++at;
    return at;
  }

  /// Goes to the next line, however long this one is.
  void pass_line() {
    for (;;) {
      const char* const line_end = find_line_end();
      const char* const next = behind_line_end(line_end);
      if (next != nullptr) return window_.pass(next);
      window_.pass(line_end);
      if (!grow()) return;
    }
  }

  /// White space around a field; of tables separated by spaces, between fields.
  bool is_blank(char c) const { return c == ' ' || (c == '\t' && separator_ != '\t'); }
  const char* behind_blanks(const char* at) const {
    while (is_blank(*at)) ++at;
    return at;
  }

  std::string name_;
  char separator_;
  char comment_;
  Index longest_;
  std::array<Class, 256> classes_{};
  TextWindow<Bytes> window_;
  std::deque<std::string> unescaped_;  // fields that held doubled quotes
  std::string problem_;
  bool open_quote_ = false;  // the window ends within quotes
  Index line_ends_within_ = 0;
  Index line_ = 0;  // lines passed
  Index line_of_record_ = 0;
};

}  // namespace altmin::detail
