#pragma once

#include <iosfwd>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/function_ref.hpp"
#include "altmin/layers/layer_interface.hpp"

namespace altmin {

template <class Scalar>
using AnyLayer = Erased<LayerInterface<Scalar>>;

namespace detail {

template <class Config, class Scalar, class = void>
constexpr bool has_layer = false;
template <class Config, class Scalar>
constexpr bool has_layer<Config, Scalar, std::void_t<typename Config::template Layer<Scalar>>> = true;

template <class Config, class = void>
constexpr bool has_name = false;
template <class Config>
constexpr bool has_name<Config, std::void_t<decltype(std::string{Config::name})>> = true;

template <class Layer, class = void>
constexpr bool has_layer_traits = false;
template <class Layer>
constexpr bool has_layer_traits<Layer, std::void_t<decltype(LayerTraits{Layer::layer_traits})>> = true;

/// The contract of a layer, a sentence for each part of it.
template <class Config, class Scalar>
constexpr bool check_layer_contract() {
  static_assert(has_layer<Config, Scalar>,
                "altmin: add() takes the options of a layer, which have a nested Layer<Scalar>");
  static_assert(has_name<Config>,
                "altmin: the options of a layer have a name: static constexpr const char* name = ...");
  static_assert(has_fields<Config> || std::is_empty_v<Config>,
                "altmin: the options of a layer list their fields(), see altmin/core/fields.hpp");
  if constexpr (has_layer<Config, Scalar>) {
    using Layer = typename Config::template Layer<Scalar>;
    static_assert(std::is_base_of_v<LayerInterface<Scalar>, Layer>,
                  "altmin: a layer derives from LayerBase or ElementwiseLayer");
    static_assert(has_layer_traits<Layer>, "altmin: a layer has static constexpr LayerTraits layer_traits");
    static_assert(std::is_constructible_v<Layer, const Config&, Shape>,
                  "altmin: a layer is constructed from (const Config& options, Shape input)");
    static_assert(!std::is_abstract_v<Layer>,
                  "altmin: a layer overrides output(), forward() and backward() of LayerInterface");
    static_assert(std::is_copy_constructible_v<Layer>, "altmin: a layer is copyable");
  }
  return true;
}

}  // namespace detail

/// The layers of a network, from the input up: their parameters can be read, set and frozen. Another stack can be
/// assigned to it by those who own it alone; values of the same layers by set_values().
template <class Scalar_>
class LayerStack {
  static_assert(std::is_same_v<Scalar_, float> || std::is_same_v<Scalar_, double>,
                "altmin: the scalar must be float or double");

 public:
  using Scalar = Scalar_;
  using Layer = LayerInterface<Scalar>;

  LayerStack(const LayerStack&) = default;
  LayerStack(LayerStack&&) noexcept = default;
  ~LayerStack() = default;

  Shape input() const { return input_; }
  Shape output() const { return layers_.empty() ? input_ : layers_.back()->output(); }

  Index size() const { return static_cast<Index>(layers_.size()); }
  Layer& operator[](Index i) { return *layers_[static_cast<std::size_t>(i)]; }
  const Layer& operator[](Index i) const { return *layers_[static_cast<std::size_t>(i)]; }

  /// Goes over the layers, as Layer&.
  template <class Stack, class Reference>
  class Iterator {
   public:
    Iterator(Stack* stack, Index i) : stack_{stack}, i_{i} {}
    Reference operator*() const { return (*stack_)[i_]; }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return i_ != other.i_; }

   private:
    Stack* stack_;
    Index i_;
  };
  auto begin() { return Iterator<LayerStack, Layer&>{this, 0}; }
  auto end() { return Iterator<LayerStack, Layer&>{this, size()}; }
  auto begin() const { return Iterator<const LayerStack, const Layer&>{this, 0}; }
  auto end() const { return Iterator<const LayerStack, const Layer&>{this, size()}; }

  /// Number of learned coefficients.
  Index parameter_count() const;

  void initialize(Random& random) {
    for (auto& layer : layers_) layer->initialize(random);
  }

  /// Shows the state of all layers, each by its number.
  void visit(FieldVisitor& visitor) {
    for (Index i = 0; i < size(); ++i) {
      visitor.enter(detail::text(i));
      (*this)[i].visit(visitor);
      visitor.leave();
    }
  }

  /// Takes over all values of the same layers. Throws ShapeError where they are others.
  void set_values(const LayerStack& other);

  /// One line a layer: number, kind, output shape, parameters.
  std::string summary() const;

  friend std::ostream& operator<<(std::ostream& out, const LayerStack& layers) { return out << layers.summary(); }

  friend bool operator==(const LayerStack& a, const LayerStack& b) {
    return a.input_ == b.input_ && a.layers_ == b.layers_;
  }
  friend bool operator!=(const LayerStack& a, const LayerStack& b) { return !(a == b); }

 protected:
  explicit LayerStack(Shape input) : input_{input} {}
  LayerStack& operator=(const LayerStack&) = default;
  LayerStack& operator=(LayerStack&&) noexcept = default;

  Shape input_;
  std::vector<AnyLayer<Scalar>> layers_;
};

template <class Scalar>
Index LayerStack<Scalar>::parameter_count() const {
  Index count = 0;
  for (const auto& layer : layers_) {
    for (const auto& parameter : layer->parameters()) count += parameter.value().size();
  }
  return count;
}

template <class Scalar>
void LayerStack<Scalar>::set_values(const LayerStack& other) {
  const bool same = [&] {
    if (size() != other.size() || !(input_ == other.input_)) return false;
    for (Index i = 0; i < size(); ++i) {
      if (std::string{(*this)[i].name()} != other[i].name() || !((*this)[i].output() == other[i].output()))
        return false;
    }
    return true;
  }();
  if (!same) throw ShapeError("set_values: expected the layers\n" + summary() + "\ngot\n" + other.summary());
  layers_ = other.layers_;
}

template <class Scalar>
std::string LayerStack<Scalar>::summary() const {
  const auto line = [](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
    const auto cell = [](const std::string& s, std::size_t width) {
      return s + std::string(s.size() < width ? width - s.size() : 1, ' ');
    };
    return cell(a, 4) + cell(b, 14) + cell(c, 16) + d + "\n";
  };
  std::string text = line("", "layer", "output", "parameters") + line("", "input", to_string(input_), "");
  for (Index i = 0; i < size(); ++i) {
    std::string shapes;
    for (const auto& parameter : (*this)[i].parameters()) {
      if (!shapes.empty()) shapes += ", ";
      shapes +=
          std::string(parameter.name()) + " " + detail::shape_text(parameter.value().rows(), parameter.value().cols());
      if (parameter.frozen()) shapes += " (frozen)";
    }
    text += line(detail::text(i), (*this)[i].name(), to_string((*this)[i].output()), shapes);
  }
  return text + "    " + detail::text(parameter_count()) + " parameters";
}

/// A stack of layers being built. Sizes are inferred, and checked, as layers are added:
///
///   Layers<float>{784}.add(Dense{500}).add(Relu{}).add(Dense{10})
///
/// A layer of your own is added like one of the library.
template <class Scalar>
class Layers : public LayerStack<Scalar> {
 public:
  /// `input` is the shape of a sample: a number of features, or channels x height x width.
  explicit Layers(Shape input) : LayerStack<Scalar>{input} {
    if (input.channels < 1 || input.height < 1 || input.width < 1) {
      throw ShapeError("Layers: the input needs at least 1 feature, got " + to_string(input));
    }
  }

  /// A copy of a network's layers.
  explicit Layers(const LayerStack<Scalar>& other) : LayerStack<Scalar>{other} {}

  /// Throws OptionError or ShapeError, naming the layer, if it does not fit the layers below it.
  template <class Config>
  Layers& add(const Config& config) &;

  template <class Config>
  Layers&& add(const Config& config) && {
    return std::move(add(config));
  }

  /// Adds make(shape of its input), a layer called `name`.
  void add_layer(const std::string& name, FunctionRef<AnyLayer<Scalar>(Shape)> make);
};

template <class Scalar>
template <class Config>
Layers<Scalar>& Layers<Scalar>::add(const Config& config) & {
  if constexpr (detail::check_layer_contract<Config, Scalar>()) {
    add_layer(Config::name, [&](Shape input) {
      return make_erased<typename Config::template Layer<Scalar>, LayerInterface<Scalar>>(config, input);
    });
  }
  return *this;
}

template <class Scalar>
void Layers<Scalar>::add_layer(const std::string& name, FunctionRef<AnyLayer<Scalar>(Shape)> make) {
  const auto where = [&] { return "layer " + detail::text(this->size()) + " (" + name + "): "; };
  try {
    AnyLayer<Scalar> layer = make(this->output());
    for (const auto& below : *this) {
      if (layer->traits().role == Role::preprocessing && below.traits().role == Role::map) {
        throw ShapeError(std::string{"expected a place before the first map, got one behind a "} + below.name());
      }
    }
    this->layers_.push_back(std::move(layer));
  } catch (const OptionError& error) {
    throw OptionError(where() + error.what());
  } catch (const ShapeError& error) {
    throw ShapeError(where() + error.what());
  }
}

}  // namespace altmin
