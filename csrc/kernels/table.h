/* Compiles every kernel body for the instruction set whose simd/ header came before. */
#include "kernels.h"
#include "nn.h"
#include "train.h"

#include <string.h>

SCP_SIMD_BEGIN
#include "dots_body.h"
#include "coverage_body.h"
#include "train_body.h"
#include "gemm_body.h"
#include "maps_body.h"
#include "passes_body.h"
#include "winograd_body.h"
SCP_SIMD_END

#define JOIN(a, b) a##b
#define TABLE(isa) JOIN(scp_kernels_, isa)
#define NN_TABLE(isa) JOIN(scp_nn_kernels_, isa)
#define TEXT(isa) #isa
#define NAME(isa) TEXT(isa)

const struct scp_kernels TABLE(SCP_SIMD_NAME) = {
    .name = NAME(SCP_SIMD_NAME),
    .dots_quad = dots_quad,
    .dot = dot,
    .dots_at = dots_at,
    .dots_block = dots_block,
    .combine = combine,
    .coverage_best = coverage_best,
    .coverage_score = coverage_score,
    .coverage_weighted_excess = coverage_weighted_excess,
    .coverage_excess4 = coverage_excess4,
    .coverage_draws = coverage_draws,
    .coverage_exchange = coverage_exchange,
    .coverage_count = coverage_count,
    .coverage_sum = coverage_sum,
    .coverage_direct = coverage_direct,
    .coverage_step = coverage_step,
    .coverage_range = coverage_range,
};

const struct scp_nn_kernels NN_TABLE(SCP_SIMD_NAME) = {
    .gemm = gemm,
    .copy = maps_copy,
    .pending = maps_pending,
    .pull = maps_pull,
    .add = maps_add,
    .turn = maps_turn,
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
    .winograd_gradient = winograd_gradient,
    .winograd_weights = winograd_weights,
    .winograd_collect = winograd_collect,
    .passes = {pass_moments, pass_pull_sums, pass_pool, pass_pool_pull, pass_blend, pass_stretch,
               pass_add},
};

#define TRAIN_TABLE(isa) JOIN(scp_train_kernels_, isa)

const struct scp_train_kernels TRAIN_TABLE(SCP_SIMD_NAME) = {
    .dots = train_dots,
    .norms = train_norms,
    .pull = train_pull,
    .project = train_project,
    .squares = train_squares,
    .adam = train_adam,
};
