#pragma once

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/core/type_list.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/tensors.hpp"
#include "altmin/network/network.hpp"

/// What was chosen of a network, as a file has it: its layers, its loss and its algorithm, with their options.

namespace altmin::detail {

/// A layer, loss or algorithm: its name, and its options as its own fields() list them.
struct Kind {
  std::string type;
  nlohmann::json options = nlohmann::json::object();

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("type", self.type...);
    visit("options", self.options...);
  }
};

struct LayerKind : Kind {
  std::vector<std::string> frozen{};  // names of parameters

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    Kind::fields(visit, self...);
    visit("frozen", self.frozen...);
  }
};

struct Architecture {
  std::vector<Index> input;  // the shape of a sample
  std::vector<LayerKind> layers;
  Kind loss;
  Kind algorithm;

  template <class Visit, class... Self>
  static void fields(Visit&& visit, Self&... self) {
    visit("input", self.input...);
    visit("layers", self.layers...);
    visit("loss", self.loss...);
    visit("algorithm", self.algorithm...);
  }
};

/// Calls visit(parameter) for all arrays that a layer learns or keeps.
template <class Layer, class Visit>
void for_each_array(Layer& layer, Visit&& visit) {
  for (auto& parameter : layer.parameters()) visit(parameter);
  for (auto& parameter : layer.statistics()) visit(parameter);
}

template <class Net>
Architecture architecture(const Net& net) {
  const Shape input = net.layers().input();
  const auto kind = [](const char* name, const auto& options) { return Kind{name, options_to_json(options)}; };
  Architecture result{{input.channels, input.height, input.width}, {}, {}, {}};
  for (const auto& layer : net.layers()) {
    result.layers.push_back({layer.visit([&](const auto& self) { return kind(self.name, self.config()); })});
    for_each_array(layer, [&](const auto& parameter) {
      if (parameter.frozen()) result.layers.back().frozen.emplace_back(parameter.name());
    });
  }
  result.loss = net.loss().visit([&](const auto& loss) { return kind(loss.name, loss); });
  result.algorithm = net.visit_algorithm([&](const auto& self) { return kind(self.config().name, self.config()); });
  return result;
}

/// By what name a file calls a layer, and a loss or an algorithm.
template <class Scalar>
struct LayerName {
  template <class Config>
  static constexpr const char* of = Config::template Layer<Scalar>::name;
};
struct OwnName {
  template <class T>
  static constexpr const char* of = T::name;
};

template <std::size_t n>
constexpr bool all_different(const std::array<std::string_view, n>& names) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (names[i] == names[j]) return false;
    }
  }
  return true;
}

/// Reads the options of a kind, one of T, and calls use(options).
template <class Name, class... T, class Use>
void read_kind(Types<T...>, const Kind& kind, const std::string& where, Use&& use) {
  static_assert((std::is_default_constructible_v<T> && ...),
                "altmin: the options of a layer, loss or algorithm that is read from a file have defaults");
  static_assert(all_different<sizeof...(T)>({Name::template of<T>...}),
                "altmin: in a file, each layer, loss and algorithm goes by a name of its own: give yours one");
  const auto try_one = [&](auto options) {
    if (kind.type != Name::template of<decltype(options)>) return false;
    read_options(kind.options, options, where + ".options");
    use(options);
    return true;
  };
  if ((try_one(T{}) || ...)) return;
  std::string known;
  ((known += (known.empty() ? "" : ", ") + std::string(Name::template of<T>)), ...);
  throw FormatError(where + ".type: expected one of " + known + ", got '" + shown(kind.type) + "'");
}

/// Turns what action() finds wrong with options and shapes into a FormatError.
template <class Action>
void refuse_as_format(const std::string& where, Action&& action) {
  try {
    action();
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    throw FormatError(where + ": " + error.what());
  }
}

/// The layers, their values still to be read. Each one's size is compared with the file before it is made.
template <class Layers>
Layers make_layers(const Architecture& architecture, TensorReader& reader) {
  using Scalar = typename Layers::Scalar;
  const auto& input = architecture.input;
  if (input.size() != 3 || checked_product(checked_product(input[0], input[1]), input[2]) < 1) {
    throw FormatError("network.input: expected channels, height and width, got " + shown_json(options_to_json(input)));
  }
  Layers layers{Shape{input[0], input[1], input[2]}};
  for (const LayerKind& kind : architecture.layers) {
    const std::string number = std::to_string(layers.size());
    const std::string where = "network.layers[" + number + "]";
    read_kind<LayerName<Scalar>>(typename Layers::Layer::Configs{}, kind, where, [&](const auto& config) {
      using Layer = typename std::decay_t<decltype(config)>::template Layer<Scalar>;
      refuse_as_format(where, [&] {
        for (const auto& shape : Layer::parameter_shapes(config, layers.output())) {
          reader.template require<Scalar>(joined(number, shape.name), shape);
        }
      });
      refuse_as_format("network", [&] { layers.add(config); });
    });
    for (const std::string& name : kind.frozen) {
      bool found = false;
      for_each_array(layers[layers.size() - 1], [&](auto& parameter) {
        if (name != parameter.name()) return;
        parameter.freeze();
        found = true;
      });
      if (!found) throw FormatError(where + ".frozen: there is no parameter '" + shown(name) + "'");
    }
  }
  return layers;
}

/// The network, its layers' values and the algorithm's state still to be read.
template <class Net>
Net make_network(const Architecture& architecture, TensorReader& reader) {
  auto layers = make_layers<typename Net::Layers>(architecture, reader);
  std::optional<typename Net::Loss> loss;
  read_kind<OwnName>(typename Net::Loss::Losses{}, architecture.loss, "network.loss",
                     [&](const auto& options) { loss.emplace(options); });
  std::optional<Net> net;
  refuse_as_format("network", [&] { net.emplace(std::move(layers), std::move(*loss), Sgd{}, Initialized{}); });
  read_kind<OwnName>(typename Net::Algorithms{}, architecture.algorithm, "network.algorithm", [&](const auto& options) {
    refuse_as_format("network.algorithm", [&] { net->set_algorithm(options); });
  });
  return std::move(*net);
}

}  // namespace altmin::detail
