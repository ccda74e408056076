/* Compiles every kernel body for the instruction set whose simd/ header came before, to the table
 * named SCP_KERNELS_TABLE. */
#include "kernels.h"

#include <math.h>
#include <string.h>

SCP_SIMD_BEGIN
#include "dots_body.h"
#include "coverage_body.h"
#include "tree_body.h"
#include "objective_body.h"
#include "gemm_body.h"
#include "maps_body.h"
#include "winograd_body.h"
#include "passes_body.h"
#include "plane_body.h"
#include "affinity_body.h"
SCP_SIMD_END

const struct scp_kernels SCP_KERNELS_TABLE = {
    .name = SCP_SIMD_NAME,
    .dots = {.quad = dots_quad,
             .one = dots_one,
             .at = dots_at,
             .block = dots_block,
             .combine = dots_combine},
    .coverage = {.best = coverage_best,
                 .score = coverage_score,
                 .weighted_excess = coverage_weighted_excess,
                 .excess4 = coverage_excess4,
                 .draws = coverage_draws,
                 .exchange = coverage_exchange,
                 .count = coverage_count,
                 .sum = coverage_sum,
                 .direct = coverage_direct,
                 .step = coverage_step,
                 .range = coverage_range},
    .tree = {.expand = tree_expand,
             .roots = tree_roots,
             .filter = tree_filter,
             .shortlist = tree_shortlist,
             .spread = tree_spread,
             .find = tree_find,
             .max_abs = tree_max_abs,
             .quantise = tree_quantise,
             .quantise4 = tree_quantise4},
    .objective = {.dots = objective_dots,
                  .norms = objective_norms,
                  .backward = objective_backward,
                  .project = objective_project,
                  .squares = objective_squares,
                  .adam = objective_adam},
    .gemm = {.multiply = gemm_multiply},
    .maps = {.copy = maps_copy,
             .deferred = maps_deferred,
             .backward = maps_backward,
             .add = maps_add,
             .pack = maps_pack,
             .pack_transposed = maps_pack_transposed},
    .winograd = {{.input = winograd3_input,
                  .output = winograd3_output,
                  .gradient = winograd3_gradient,
                  .weights = winograd3_weights,
                  .collect = winograd3_collect},
                 {.input = winograd2_input,
                  .output = winograd2_output,
                  .gradient = winograd2_gradient,
                  .weights = winograd2_weights,
                  .collect = winograd2_collect}},
    .passes = {.moments = pass_moments,
               .backward_sums = pass_backward_sums,
               .pool = pass_pool,
               .pool_backward = pass_pool_backward,
               .pool3 = pass_pool3,
               .pool3_backward = pass_pool3_backward,
               .dropout = pass_dropout,
               .blend = pass_blend,
               .stretch = pass_stretch,
               .add = pass_add},
    .plane = {.nearest = plane_nearest,
              .distances = plane_distances,
              .shares = plane_shares,
              .subtract = plane_subtract},
    .affinity = {.cosine = affinity_cosine,
                 .rbf = affinity_rbf,
                 .excess = affinity_excess,
                 .excess_across = affinity_excess_across},
};
