#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "altmin/core/field_visitor.hpp"
#include "altmin/layers/layer_stack.hpp"
#include "altmin/losses/loss.hpp"
#include "altmin/network/algorithm.hpp"

namespace altmin::detail {

/// Writes fields as text, a line each: what leads to it, its name, its value. Of a matrix, the shape.
class FieldText : public FieldVisitor {
 public:
  const std::string& lines() const { return lines_; }

  /// What stands in front of the lines that follow.
  void set_prefix(const std::string& prefix) { path_ = {prefix}; }
  void line(const std::string& name, const std::string& value) {
    for (const std::string& part : path_) lines_ += part + ": ";
    lines_ += name + " " + value + "\n";
  }

  void boolean(const std::string& name, bool& value) override { line(name, value ? "true" : "false"); }
  void integer(const std::string& name, std::int64_t& value, std::int64_t, std::int64_t) override {
    line(name, detail::text(value));
  }
  void natural(const std::string& name, std::uint64_t& value, std::uint64_t) override {
    line(name, detail::text(value));
  }
  void real(const std::string& name, double& value) override {
    char digits[32];  // all that there are
    line(name, {digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
  }
  void text(const std::string& name, std::string& value) override { line(name, value); }
  void choice(const std::string& name, std::size_t& value, Span<const char* const> names) override {
    line(name, names[static_cast<Index>(value)]);
  }
  void matrix(const std::string& name, Matrix<float>& value) override { shape(name, value); }
  void matrix(const std::string& name, Matrix<double>& value) override { shape(name, value); }
  void array(const std::string& name, Matrix<float>& value, const ArrayFormat&) override { shape(name, value); }
  void array(const std::string& name, Matrix<double>& value, const ArrayFormat&) override { shape(name, value); }

  void enter(const std::string& name) override { path_.push_back(name); }
  void leave() override { path_.pop_back(); }
  bool present(const std::string& name, bool value) override {
    if (!value) line(name, "none");
    return value;
  }
  std::size_t length(std::size_t count) override { return count; }

 private:
  template <class Scalar>
  void shape(const std::string& name, const Matrix<Scalar>& value) {
    line(name, detail::shape_text(value.rows(), value.cols()));
  }

  std::vector<std::string> path_;
  std::string lines_;
};

/// What several ranks must have in common: kinds, options and sizes, and which parameters are frozen; a line each.
template <class Scalar>
std::string describe(const LayerStack<Scalar>& layers, const LossInterface<Scalar>& loss,
                     const Algorithm<Scalar>& algorithm) {
  FieldText text;
  text.line("scalar of", detail::text(sizeof(Scalar)) + " bytes");
  text.line("input", to_string(layers.input()));
  for (Index i = 0; i < layers.size(); ++i) {
    text.set_prefix("layer " + detail::text(i));
    text.line("kind", layers[i].name());
    layers[i].visit_options(text);
    for (const auto& parameter : layers[i].parameters()) {
      text.line(parameter.name(), detail::shape_text(parameter.value().rows(), parameter.value().cols()) +
                                      (parameter.frozen() ? " (frozen)" : ""));
    }
    for (const auto& statistic : layers[i].statistics()) {
      text.line(statistic.name(), statistic.frozen() ? "(frozen)" : "(running)");
    }
  }
  text.set_prefix("loss");
  text.line("kind", loss.name());
  loss.visit_options(text);
  text.set_prefix("algorithm");
  text.line("kind", algorithm.name());
  algorithm.visit_options(text);
  return text.lines();
}

}  // namespace altmin::detail
