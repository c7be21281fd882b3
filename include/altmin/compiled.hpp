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
#define ALTMIN_LAYER(instantiate, Scalar, Kind) \
  instantiate altmin::Layers<Scalar>& altmin::Layers<Scalar>::add(const altmin::Kind&)&

#define ALTMIN_LAYERS(instantiate, Scalar)                                                                          \
  instantiate void altmin::multiply<Scalar>(const altmin::Worker<Scalar>&, const altmin::Factor<Scalar>&,           \
                                            const altmin::Factor<Scalar>&, altmin::View<Scalar>, Scalar,            \
                                            const altmin::Addend<Scalar>&);                                         \
  instantiate void altmin::multiply_symmetric<Scalar>(const altmin::Worker<Scalar>&, const altmin::Factor<Scalar>&, \
                                                      const altmin::Factor<Scalar>&, altmin::View<Scalar>, Scalar,  \
                                                      const altmin::Addend<Scalar>&);                               \
  instantiate void altmin::initialize<Scalar>(altmin::View<Scalar>, altmin::Initialization, altmin::Index,          \
                                              altmin::Index, altmin::Random&);                                      \
  instantiate class altmin::LayerStack<Scalar>;                                                                     \
  instantiate class altmin::Layers<Scalar>;                                                                         \
  ALTMIN_LAYER(instantiate, Scalar, Dense);                                                                         \
  ALTMIN_LAYER(instantiate, Scalar, BinaryDense);                                                                   \
  ALTMIN_LAYER(instantiate, Scalar, Conv2d);                                                                        \
  ALTMIN_LAYER(instantiate, Scalar, Recurrent);                                                                     \
  ALTMIN_LAYER(instantiate, Scalar, LastStep);                                                                      \
  ALTMIN_LAYER(instantiate, Scalar, BatchNorm);                                                                     \
  ALTMIN_LAYER(instantiate, Scalar, Standardize);                                                                   \
  ALTMIN_LAYER(instantiate, Scalar, Dropout);                                                                       \
  ALTMIN_LAYER(instantiate, Scalar, MaxPool2d);                                                                     \
  ALTMIN_LAYER(instantiate, Scalar, Skip);                                                                          \
  ALTMIN_LAYER(instantiate, Scalar, AvgPool2d);                                                                     \
  ALTMIN_LAYER(instantiate, Scalar, Identity);                                                                      \
  ALTMIN_LAYER(instantiate, Scalar, Relu);                                                                          \
  ALTMIN_LAYER(instantiate, Scalar, LeakyRelu);                                                                     \
  ALTMIN_LAYER(instantiate, Scalar, Tanh);                                                                          \
  ALTMIN_LAYER(instantiate, Scalar, Sigmoid);                                                                       \
  ALTMIN_LAYER(instantiate, Scalar, Sign)

#define ALTMIN_LOSS(instantiate, Scalar, Kind) instantiate altmin::AnyLoss<Scalar>::AnyLoss(altmin::Kind)

#define ALTMIN_ALGORITHM(instantiate, Scalar, Kind) \
  instantiate altmin::AnyAlgorithm<Scalar>::AnyAlgorithm(const altmin::Kind&)

#define ALTMIN_SIGNAL(instantiate, Scalar, Kind)                                      \
  instantiate altmin::Erased<altmin::SignalInterface<Scalar>>                         \
  altmin::make_erased<altmin::Kind::Signal<Scalar>, altmin::SignalInterface<Scalar>>( \
      const altmin::Kind&, const altmin::LayerStack<Scalar>&)

#define ALTMIN_RULE(instantiate, Scalar, Kind)                                          \
  instantiate altmin::Erased<altmin::WeightRuleInterface<Scalar>>                       \
  altmin::make_erased<altmin::Kind::Rule<Scalar>, altmin::WeightRuleInterface<Scalar>>( \
      const altmin::Kind&, const altmin::Block<Scalar>&, bool&)

#define ALTMIN_RULES(instantiate, Scalar)           \
  ALTMIN_SIGNAL(instantiate, Scalar, Backprop);     \
  instantiate class altmin::CodesSignal<Scalar>;    \
  ALTMIN_SIGNAL(instantiate, Scalar, MovedCodes<>); \
  ALTMIN_SIGNAL(instantiate, Scalar, ExactCodes);   \
  ALTMIN_RULE(instantiate, Scalar, AdamRule);       \
  ALTMIN_RULE(instantiate, Scalar, SgdRule);        \
  ALTMIN_RULE(instantiate, Scalar, MemoryRule);     \
  ALTMIN_RULE(instantiate, Scalar, FullMemoryRule); \
  ALTMIN_RULE(instantiate, Scalar, DescentRule);    \
  ALTMIN_RULE(instantiate, Scalar, RecursiveRule)

#define ALTMIN_NETWORK(instantiate, Scalar)                                                   \
  ALTMIN_LOSS(instantiate, Scalar, SoftmaxCrossEntropy);                                      \
  ALTMIN_LOSS(instantiate, Scalar, MeanSquaredError);                                         \
  ALTMIN_LOSS(instantiate, Scalar, Logistic);                                                 \
  ALTMIN_LOSS(instantiate, Scalar, Hinge);                                                    \
  ALTMIN_ALGORITHM(instantiate, Scalar, AmAdam);                                              \
  ALTMIN_ALGORITHM(instantiate, Scalar, AmMem);                                               \
  ALTMIN_ALGORITHM(instantiate, Scalar, AmMemFull);                                           \
  ALTMIN_ALGORITHM(instantiate, Scalar, AmMemDescent);                                        \
  ALTMIN_ALGORITHM(instantiate, Scalar, AmRecursive);                                         \
  ALTMIN_ALGORITHM(instantiate, Scalar, AmSgd);                                               \
  ALTMIN_ALGORITHM(instantiate, Scalar, Adam);                                                \
  ALTMIN_ALGORITHM(instantiate, Scalar, Sgd);                                                 \
  instantiate class altmin::Algorithm<Scalar>;                                                \
  instantiate class altmin::Network<Scalar>;                                                  \
  instantiate class altmin::PackedNetwork<Scalar>;                                            \
  instantiate class altmin::Batches<Scalar>;                                                  \
  instantiate class altmin::Dataset<Scalar>;                                                  \
  instantiate void altmin::ProgressBar::after_step<Scalar>(const altmin::Training<Scalar>&);  \
  instantiate void altmin::ProgressBar::after_epoch<Scalar>(const altmin::Training<Scalar>&); \
  instantiate altmin::Metrics altmin::evaluate<Scalar>(const altmin::Network<Scalar>&,        \
                                                       const altmin::Dataset<Scalar>&);       \
  instantiate altmin::FitReport altmin::detail::run_fit<Scalar>(                              \
      altmin::Network<Scalar>&, altmin::BatchSource<Scalar>&, const altmin::FitOptions&,      \
      altmin::Span<const altmin::detail::CallbackRef<Scalar>>)

#define ALTMIN_PRINTING(instantiate) instantiate std::ostream& altmin::operator<<(std::ostream&, const altmin::Metrics&)

ALTMIN_LAYERS(extern template, float);
ALTMIN_LAYERS(extern template, double);
ALTMIN_RULES(extern template, float);
ALTMIN_NETWORK(extern template, float);
ALTMIN_RULES(extern template, double);
ALTMIN_NETWORK(extern template, double);
ALTMIN_PRINTING(extern template);
