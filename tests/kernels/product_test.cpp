#include "altmin/kernels/product.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "allocations.hpp"
#include "altmin/core/random.hpp"
#include "altmin/kernels/plain.hpp"
#include "catch.hpp"
#include "forked.hpp"

using altmin::Addend;
using altmin::Factor;
using altmin::Index;
using altmin::Matrix;
using altmin::multiply;
using altmin::multiply_symmetric;
using altmin::Random;
using altmin::Seed;
using altmin::transposed;
using altmin::Vector;
using altmin::View;
using altmin::Workers;
using altmin::detail::multiply_plain;

namespace {

/// Small integers: their products are exact, so that results must be equal and no error hides in a tolerance.
template <class Scalar>
Matrix<Scalar> integers(Index rows, Index columns, Random& random) {
  Matrix<Scalar> result(rows, columns);
  for (auto& value : result.reshaped()) value = Scalar(static_cast<int>(random.below(7)) - 3);
  return result;
}

struct Size {
  Index rows, depth, columns;
};

// One sample, one feature, one output; around register tiles (up to 48 x 8), packing memory (960 x 256 or 512), columns
// that lie a page apart (512 or 1024 rows), and cells (2^21 multiplications, 2^19 bytes).
const Size sizes[] = {{1, 1, 1},      {5, 3, 1},       {1, 7, 4},      {3, 1, 5},      {1, 1, 9},      {13, 17, 11},
                      {48, 8, 8},     {49, 9, 9},      {97, 33, 12},   {960, 256, 16}, {961, 257, 17}, {384, 512, 20},
                      {385, 513, 21}, {1023, 40, 60},  {1024, 40, 60}, {1030, 20, 70}, {20, 600, 700}, {513, 200, 90},
                      {90, 200, 513}, {301, 150, 302}, {2000, 900, 1}, {1, 900, 2000}};

}  // namespace

TEMPLATE_TEST_CASE("multiply() is the product, for every transposition, size, stride, scale and addend", "[product]",
                   float, double) {
  Random random{Seed{1}};
  Workers<TestType> workers{2};
  const auto worker = workers.worker();
  for (const Size& size : sizes) {
    const auto a = integers<TestType>(size.rows, size.depth, random);
    const auto b = integers<TestType>(size.depth, size.columns, random);
    const Matrix<TestType> expected = multiply_plain<TestType>(a, b);
    const Matrix<TestType> at = a.transpose(), bt = b.transpose();
    CHECK(multiply_plain<TestType>(transposed(at), transposed(bt)) == expected);
    const auto other = integers<TestType>(size.rows + 1, size.columns, random);
    const auto beside = other.topRows(size.rows);
    const Factor<TestType> lefts[] = {a, transposed(at)}, rights[] = {b, transposed(bt)};
    for (const auto& left : lefts) {
      for (const auto& right : rights) {
        CAPTURE(size.rows, size.depth, size.columns, left.transposed, right.transposed);
        Matrix<TestType> out = Matrix<TestType>::Constant(size.rows, size.columns, TestType(NAN));
        multiply<TestType>(worker, left, right, out);
        CHECK(out == expected);
        multiply<TestType>(worker, left, right, out, TestType(-2), out);
        CHECK(out == -expected);
        multiply<TestType>(worker, left, right, out, TestType(2), {out, TestType(0.5)});
        CHECK(out == TestType(1.5) * expected);
        multiply<TestType>(worker, left, right, out, TestType(3), {beside, TestType(-0.5)});
        CHECK(out == TestType(3) * expected - TestType(0.5) * beside);
        multiply<TestType>(worker, left, right, out, TestType(1), Addend<TestType>::each_column(other.data()));
        CHECK(out == expected.colwise() + Vector<TestType>{beside.col(0)});

        // Into the middle of a larger matrix, whose rest stays.
        Matrix<TestType> frame = Matrix<TestType>::Constant(size.rows + 3, size.columns + 2, 7);
        const View<TestType> inner{&frame(2, 1), size.rows, size.columns, frame.outerStride()};
        multiply<TestType>(worker, left, right, inner, TestType(0.5));
        CHECK(inner == TestType(0.5) * expected);
        CHECK(frame.sum() == TestType(0.5) * expected.sum() + TestType(7 * (frame.size() - expected.size())));
      }
    }
  }
}

TEMPLATE_TEST_CASE("a product with the own transpose is symmetric", "[product]", float, double) {
  Random random{Seed{6}};
  Workers<TestType> workers{2};
  for (const Size& size : sizes) {
    if (size.rows > 1000) continue;
    const auto a = integers<TestType>(size.rows, size.depth, random);
    const Matrix<TestType> at = a.transpose();
    const Matrix<TestType> expected = multiply_plain<TestType>(a, at);
    CAPTURE(size.rows, size.depth);
    Matrix<TestType> out = Matrix<TestType>::Constant(size.rows, size.rows, TestType(NAN));
    multiply_symmetric<TestType>(workers.worker(), a, transposed(a), out);
    CHECK(out == expected);
    multiply_symmetric<TestType>(workers.worker(), transposed(at), at, out, TestType(-3), out);
    CHECK(out == TestType(-2) * expected);
    multiply_symmetric<TestType>(workers.worker(), a, transposed(a), out, TestType(1), {expected, TestType(4)});
    CHECK(out == TestType(5) * expected);
  }
}

TEMPLATE_TEST_CASE("factors may be parts of larger matrices", "[product]", float, double) {
  Random random{Seed{2}};
  Workers<TestType> workers{1};
  const auto big = integers<TestType>(30, 40, random);
  const auto block = big.block(3, 5, 7, 11);
  const Matrix<TestType> a = block, identity = Matrix<TestType>::Identity(11, 11);
  Matrix<TestType> out(7, 11), flipped(11, 7), vector(7, 1), part(3, 4);
  multiply<TestType>(workers.worker(), block, identity, out);
  CHECK(out == a);
  multiply<TestType>(workers.worker(), identity, transposed(block), flipped);
  CHECK(flipped == a.transpose());
  multiply<TestType>(workers.worker(), block, identity.col(2), vector);
  CHECK(vector == a.col(2));
  const Vector<TestType> plain = identity.col(3);
  multiply<TestType>(workers.worker(), block, plain, vector);
  CHECK(vector == a.col(3));

  multiply<TestType>(workers.worker(), Factor<TestType>{block}.row_range(2, 3),
                     Factor<TestType>{identity}.column_range(4, 4), part);
  CHECK(part == a.block(2, 4, 3, 4));
  multiply<TestType>(workers.worker(), transposed(flipped).row_range(2, 3), transposed(identity).column_range(4, 4),
                     part);
  CHECK(part == a.block(2, 4, 3, 4));
}

TEMPLATE_TEST_CASE("an empty sum is 0, an empty product nothing", "[product]", float, double) {
  Workers<TestType> workers{1};
  const Matrix<TestType> a(3, 0), b(0, 2), wide(2, 5);
  Matrix<TestType> out = Matrix<TestType>::Constant(3, 2, 7), none(0, 5), slim(3, 0);
  multiply<TestType>(workers.worker(), a, b, out, TestType(1), out);
  CHECK(out == Matrix<TestType>::Constant(3, 2, 7));
  multiply<TestType>(workers.worker(), a, b, out, TestType(1), {out, TestType(3)});
  CHECK(out == Matrix<TestType>::Constant(3, 2, 21));
  multiply<TestType>(workers.worker(), a, b, out);
  CHECK(out.isZero(0));
  multiply<TestType>(workers.worker(), b, wide, none);
  multiply<TestType>(workers.worker(), out, transposed(b), slim);
}

TEMPLATE_TEST_CASE("multiply() gives the same bits for any number of threads", "[product]", float, double) {
  Random random{Seed{3}};
  for (const Size& size : {Size{301, 150, 302}, Size{90, 200, 513}, Size{700, 6000, 1}}) {
    const Matrix<TestType> a =
        Matrix<TestType>::NullaryExpr(size.rows, size.depth, [&] { return TestType(random.normal()); });
    const Matrix<TestType> b =
        Matrix<TestType>::NullaryExpr(size.depth, size.columns, [&] { return TestType(random.normal()); });
    std::vector<Matrix<TestType>> results, flipped, squares;
    for (const int threads : {1, 2, 5}) {
      Workers<TestType> workers{threads};
      multiply<TestType>(workers.worker(), a, b, results.emplace_back(size.rows, size.columns));
      const Matrix<TestType> at = a.transpose();
      multiply<TestType>(workers.worker(), transposed(at), b, flipped.emplace_back(size.rows, size.columns));
      auto& square = squares.emplace_back(Matrix<TestType>::Ones(size.rows, size.rows));
      multiply_symmetric<TestType>(workers.worker(), transposed(at), at, square, TestType(0.3),
                                   {square, TestType(0.7)});
    }
    for (const auto* same : {&results, &flipped, &squares}) {
      CHECK((*same)[1] == (*same)[0]);
      CHECK((*same)[2] == (*same)[0]);
    }
  }
}

TEMPLATE_TEST_CASE("products may run inside a parallel loop", "[product]", float, double) {
  Random random{Seed{4}};
  Workers<TestType> workers{5};
  const auto a = integers<TestType>(150, 200, random), b = integers<TestType>(200, 300, random);
  const auto expected = multiply_plain<TestType>(a, b);
  std::vector<Matrix<TestType>> results(12, Matrix<TestType>(150, 300));
  workers.worker().parallel_for(12, [&](Index i, const altmin::Worker<TestType>& worker) {
    multiply<TestType>(worker, a, b, results[static_cast<std::size_t>(i)]);
  });
  for (const auto& result : results) CHECK(result == expected);
}

TEST_CASE("parallel_ranges() cuts a length into ranges that make it up, by sizes alone", "[product]") {
  const Index length = GENERATE(0, 1, 7, 1000);
  const Index cost = GENERATE(0, 1, 100, 1000000);
  for (const int threads : {1, 3}) {
    Workers<float> workers{threads};
    std::vector<int> visits(static_cast<std::size_t>(length));
    workers.worker().parallel_ranges(length, cost, [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i) ++visits.at(static_cast<std::size_t>(i));
    });
    CHECK(visits == std::vector<int>(visits.size(), 1));
  }
}

namespace {

/// The threads that take part in a loop of as many iterations, all of which run at once.
std::set<std::thread::id> team(Workers<double>& workers) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  const auto lock = workers.lock();
  const auto threads = static_cast<std::size_t>(workers.threads());
  workers.worker().parallel_for(workers.threads(), [&](Index, const altmin::Worker<double>&) {
    for (int i = 0; i < 20000; ++i) {
      {
        const std::lock_guard<std::mutex> guard{mutex};
        seen.insert(std::this_thread::get_id());
        if (seen.size() == threads) return;
      }
      std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
  });
  return seen;
}

}  // namespace

TEST_CASE("workers that share have the same threads, and so have their copies", "[product]") {
  Workers<double> first{3}, second{2}, third{1}, alone{3};
  CHECK_FALSE(first.shared());
  second.share(first);
  third.share(second);
  CHECK(first.shared());
  CHECK(third.threads() == 3);
  const auto threads = team(first);
  CHECK(threads.size() == 3);
  CHECK(team(second) == threads);
  CHECK(team(third) == threads);
  CHECK(&first.worker().packing() == &second.worker().packing());
  CHECK(team(alone) != threads);

  Workers<double> copy{third};
  CHECK(team(copy) == threads);
  copy = alone;  // no longer
  CHECK_FALSE(copy.shared());
  CHECK(team(copy) != threads);
  CHECK(team(copy) != team(alone));
  copy.share(copy);
  CHECK_FALSE(copy.shared());

  first = Workers<double>{2};
  CHECK(team(first).size() == 2);
  CHECK(team(second) == threads);  // they live as long as one of their users
  {
    const auto lock = second.lock();
    bool lent = false;
    third.lend([&](const altmin::Worker<double>& worker) { lent = worker.threads() == 1; });
    CHECK(lent);
  }
  bool lent = false;
  third.lend([&](const altmin::Worker<double>& worker) { lent = worker.threads() == 3; });
  CHECK(lent);
}

#if ALTMIN_TESTS_FORK && ALTMIN_FORKED_THREADS
TEST_CASE("workers go on in a child process, whoever held their lock", "[product]") {
  Workers<double> workers{2}, shared{1};
  shared.share(workers);
  CHECK(team(workers).size() == 2);
  std::atomic<int> state{0};
  std::thread user{[&] {
    const auto lock = workers.lock();
    state = 1;
    while (state != 2) std::this_thread::sleep_for(std::chrono::microseconds{100});
  }};
  while (state != 1) std::this_thread::sleep_for(std::chrono::microseconds{100});
  CHECK(support::holds_in_child([&] { return team(shared).size() == 2 && team(workers).size() == 2; }));
  CHECK(support::holds_in_child([&] {
    workers = Workers<double>{3};
    shared = workers;
    return team(workers).size() == 3 && team(shared).size() == 3;
  }));
  state = 2;
  user.join();
  CHECK(team(workers).size() == 2);
}
#endif

TEST_CASE("workers are values; their copies share nothing", "[product]") {
  Workers<double> workers{3};
  Matrix<double> one = Matrix<double>::Ones(1, 1), out(1, 1);
  multiply<double>(workers.worker(), one, one, out);
  Workers<double> copy{workers};
  CHECK(copy.threads() == 3);
  CHECK(&copy.worker().packing() != &workers.worker().packing());
  workers = Workers<double>{5};
  CHECK(workers.worker().threads() == 5);
  std::vector<int> runs(50);
  workers.worker().parallel_for(50, [&](Index i, const altmin::Worker<double>& worker) {
    worker.packing().left()[0] = static_cast<double>(i);  // every thread has its own
    ++runs[static_cast<std::size_t>(i)];
  });
  CHECK(runs == std::vector<int>(50, 1));
}

#if ALTMIN_COUNTS_ALLOCATIONS
TEMPLATE_TEST_CASE("multiply() does not allocate", "[product]", float, double) {
  Matrix<TestType> grows;
  REQUIRE(support::allocations([&] { grows.resize(10, 10); }) == 1);
  Random random{Seed{5}};
  Workers<TestType> workers{2};
  workers.worker().parallel_for(2, [](Index, const altmin::Worker<TestType>&) {});  // threads start
  for (const Size& size : sizes) {
    const auto a = integers<TestType>(size.rows, size.depth, random);
    const auto b = integers<TestType>(size.depth, size.columns, random);
    const Matrix<TestType> at = a.transpose(), bt = b.transpose();
    Matrix<TestType> out(size.rows, size.columns);
    CAPTURE(size.rows, size.depth, size.columns);
    CHECK(support::allocations([&] {
            multiply<TestType>(workers.worker(), a, b, out);
            multiply<TestType>(workers.worker(), transposed(at), b, out, TestType(2));
            multiply<TestType>(workers.worker(), a, transposed(bt), out, TestType(2), out);
            multiply<TestType>(workers.worker(), transposed(at), transposed(bt), out);
          }) == 0);
  }
}
#endif
