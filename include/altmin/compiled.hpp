#pragma once

/// The instantiations that the library altmin::compiled holds, for float and double. A program that links it defines
/// ALTMIN_COMPILED (its CMake target does), and compiles none of them itself. Kinds that are not named here, one's own
/// among them, are compiled by the program that names them.

#include "altmin/altmin.hpp"

// The library and its user must agree on the alignment of Eigen's memory and on the size of its packets, which their
// architecture flags decide: a program that was compiled otherwise fails to link: it lacks a symbol named after
// them.
#define ALTMIN_JOIN(a, b) a##b
#define ALTMIN_EXPAND_JOIN(a, b) ALTMIN_JOIN(a, b)
#if defined(__AVX512F__)
#define ALTMIN_INSTRUCTIONS _and_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define ALTMIN_INSTRUCTIONS _and_avx2_fma
#elif defined(__AVX__)
#define ALTMIN_INSTRUCTIONS _and_avx
#elif defined(__SSE4_2__)
#define ALTMIN_INSTRUCTIONS _and_sse4
#else
#define ALTMIN_INSTRUCTIONS _and_the_default_instructions
#endif
#define ALTMIN_COMPILED_FOR \
  ALTMIN_EXPAND_JOIN(ALTMIN_EXPAND_JOIN(altmin_compiled_for_alignment_, EIGEN_MAX_ALIGN_BYTES), ALTMIN_INSTRUCTIONS)

extern "C" const int ALTMIN_COMPILED_FOR;

namespace altmin::detail {
#if defined(__GNUC__)
[[gnu::used]]
#endif
static const int* const compiled_for = &ALTMIN_COMPILED_FOR;
}  // namespace altmin::detail

// `instantiate` is `extern template` here, and `template` where the library is made (cmake/compiled/).
#define ALTMIN_LAYERS(instantiate, Scalar)                                                                          \
  instantiate void altmin::multiply<Scalar>(const altmin::Worker<Scalar>&, const altmin::Factor<Scalar>&,           \
                                            const altmin::Factor<Scalar>&, altmin::View<Scalar>, Scalar,            \
                                            const altmin::Addend<Scalar>&);                                         \
  instantiate void altmin::multiply_symmetric<Scalar>(const altmin::Worker<Scalar>&, const altmin::Factor<Scalar>&, \
                                                      const altmin::Factor<Scalar>&, altmin::View<Scalar>, Scalar,  \
                                                      const altmin::Addend<Scalar>&);                               \
  instantiate class altmin::LayerStack<Scalar>;                                                                     \
  instantiate class altmin::Layers<Scalar>;                                                                         \
  instantiate class altmin::Dense::Layer<Scalar>;                                                                   \
  instantiate class altmin::BinaryDense::Layer<Scalar>;                                                             \
  instantiate class altmin::Conv2d::Layer<Scalar>;                                                                  \
  instantiate class altmin::Recurrent::Layer<Scalar>;                                                               \
  instantiate class altmin::LastStep::Layer<Scalar>;                                                                \
  instantiate class altmin::BatchNorm::Layer<Scalar>;                                                               \
  instantiate class altmin::Dropout::Layer<Scalar>;                                                                 \
  instantiate class altmin::MaxPool2d::Layer<Scalar>;                                                               \
  instantiate class altmin::AvgPool2d::Layer<Scalar>;                                                               \
  instantiate class altmin::Identity::Layer<Scalar>;                                                                \
  instantiate class altmin::Relu::Layer<Scalar>;                                                                    \
  instantiate class altmin::LeakyRelu::Layer<Scalar>;                                                               \
  instantiate class altmin::Tanh::Layer<Scalar>;                                                                    \
  instantiate class altmin::Sigmoid::Layer<Scalar>;                                                                 \
  instantiate class altmin::Sign::Layer<Scalar>

#define ALTMIN_ALGORITHMS(instantiate, Scalar)                                             \
  instantiate class altmin::detail::LossModel<altmin::SoftmaxCrossEntropy, Scalar>;        \
  instantiate class altmin::detail::LossModel<altmin::MeanSquaredError, Scalar>;           \
  instantiate class altmin::detail::LossModel<altmin::Logistic, Scalar>;                   \
  instantiate class altmin::detail::LossModel<altmin::Hinge, Scalar>;                      \
  instantiate class altmin::Backprop::Signal<Scalar>;                                      \
  instantiate class altmin::CodesSignal<Scalar>;                                           \
  instantiate class altmin::MovedCodes<altmin::CodeDescent>::Signal<Scalar>;               \
  instantiate class altmin::CodeDescent::Rule<Scalar>;                                     \
  instantiate class altmin::GradientRule<altmin::AdamMoments<Scalar>>;                     \
  instantiate class altmin::GradientRule<altmin::SgdMoments<Scalar>>;                      \
  instantiate class altmin::MemoryRule::Rule<Scalar>;                                      \
  instantiate class altmin::DescentRule::Rule<Scalar>;                                     \
  instantiate class altmin::detail::AlgorithmModel<altmin::AmAdam, Scalar>;                \
  instantiate class altmin::detail::AlgorithmModel<altmin::AmMem, Scalar>;                 \
  instantiate class altmin::detail::AlgorithmModel<altmin::AmMemDescent, Scalar>;          \
  instantiate class altmin::detail::AlgorithmModel<altmin::AmSgd, Scalar>;                 \
  instantiate class altmin::detail::AlgorithmModel<altmin::Adam, Scalar>;                  \
  instantiate class altmin::detail::AlgorithmModel<altmin::Sgd, Scalar>;                   \
  instantiate class altmin::Algorithm<Scalar>;                                             \
  instantiate class altmin::Network<Scalar>;                                               \
  instantiate class altmin::PackedNetwork<Scalar>;                                         \
  instantiate class altmin::Batches<Scalar>;                                               \
  instantiate class altmin::Dataset<Scalar>;                                               \
  instantiate altmin::Metrics altmin::evaluate<Scalar>(const altmin::Network<Scalar>&,     \
                                                       const altmin::Dataset<Scalar>&);    \
  instantiate altmin::FitReport altmin::detail::run_fit<Scalar>(                           \
      altmin::Network<Scalar>&, const altmin::Dataset<Scalar>&, const altmin::FitOptions&, \
      altmin::Span<const altmin::detail::CallbackRef<Scalar>>)

ALTMIN_LAYERS(extern template, float);
ALTMIN_LAYERS(extern template, double);
ALTMIN_ALGORITHMS(extern template, float);
ALTMIN_ALGORITHMS(extern template, double);
