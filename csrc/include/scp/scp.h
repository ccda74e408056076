/* scp, the C core: which images of a set to annotate, and what follows from annotating them.
 *
 * The core computes; it reads no files, prints nothing and knows no Python. This header includes
 * all others. Each of those is the manual of its module: what is computed, in which order sums are
 * taken, shapes, ownership and errors. Read them in this order:
 *
 *     status, alloc, cpu, random, threads     what every call relies on
 *     grid, pyramid, gradient, surf           features of images, key points
 *     match                                   Eq. 5, Eq. 7, Eq. 8: where a point is found again
 *     select                                  Eq. 9 and Eq. 10: the images to annotate
 *     zcore                                   a way to choose that others use
 *     options, nn, views, train               networks, and the loop of every training
 *     contrast                                Eq. 11: learning the features
 *     refine                                  landmarks found again, refined
 *     faces, autoencode, transfer             landmarks on an auto-encoder of faces (Table 3)
 *     cuda                                    the same on a GPU
 *
 * Conventions. What can fail returns enum scp_status; outputs come first in the arguments and are
 * valid after SCP_OK only. Arrays belong to the caller, are row-major and without gaps; handles
 * (scp_x_create) are freed by scp_x_free, which takes NULL. A const handle may be used by several
 * threads. Long calls take a struct scp_control, through which the caller watches and stops them.
 * Results are the same bits at any number of threads and, but for networks (scp/nn.h), on every
 * instruction set.
 *
 * From pixels to the M images to annotate (tests/c/test_usage.c runs it):
 *
 * ---- program ----
 * #include "scp/scp.h"
 *
 * enum { N = 6, M = 2, SIDE = 128, POINTS = 49, Q = N * POINTS, D = 4, C = 64, CELLS = 5440 };
 * static float images[N][SIDE][SIDE], features[N][CELLS][C], norms[N][CELLS];
 * static float queries[Q][D][C], query_norms[Q][D], values[N][Q];
 * static double weights[Q];
 * static uint8_t roles[N]; // SCP_FREE
 *
 * static enum scp_status choose(uint32_t ids[N], size_t *count) {
 *     const struct scp_grid grid = {D, C, SIDE >> D, SIDE >> D};
 *     const struct scp_match_options options = {SCP_NEAREST, SCP_MATCH_AUTO, 1e-3f};
 *     struct scp_queries *points = NULL;
 *     struct scp_select *problem = NULL;
 *     enum scp_status status = scp_gradient_pyramid(**features, *norms, **images, N, &grid, NULL);
 *     for (size_t q = 0; q < Q; q++) { // key points: a lattice; scp/surf.h finds better ones
 *         const size_t i = q / POINTS, y = 16 + q % POINTS / 7 * 16, x = 16 + q % 7 * 16;
 *         weights[q] = 1.0 / Q;
 *         for (size_t d = 0; d < D; d++) {
 *             const size_t row = y >> (D - d), column = x >> (D - d);
 *             const size_t cell = scp_grid_offset(&grid, d) + row * (grid.width << d) + column;
 *             memcpy(queries[q][d], features[i][cell], sizeof queries[q][d]);
 *             query_norms[q][d] = norms[i][cell];
 *         }
 *     }
 *     if (!status) status = scp_queries_create(&points, **queries, *query_norms, Q, D, C, NULL);
 *     for (size_t t = 0; t < N && !status; t++) { // Eq. 7: every key point in image t
 *         const struct scp_pyramid image = {grid, *features[t], norms[t]};
 *         struct scp_match_stats stats;
 *         int32_t cells[Q];
 *         status = scp_match(values[t], cells, &stats, &image, points, &options, NULL);
 *     }
 *     const struct scp_select_input input = {*values, weights, roles, .n = N, .q = Q};
 *     if (!status) status = scp_select_create(&problem, &input, NULL);
 *     if (!status) status = scp_select_greedy(ids, count, problem, M, NULL); // Eq. 10
 *     scp_select_free(problem);
 *     scp_queries_free(points);
 *     return status;
 * }
 * ---- end ----
 */
#ifndef SCP_SCP_H
#define SCP_SCP_H

#define SCP_VERSION "0.2.0"

#include "scp/status.h"
#include "scp/alloc.h"
#include "scp/cpu.h"
#include "scp/random.h"
#include "scp/threads.h"

#include "scp/grid.h"
#include "scp/pyramid.h"
#include "scp/gradient.h"
#include "scp/surf.h"

#include "scp/match.h"
#include "scp/select.h"
#include "scp/vectors.h"
#include "scp/zcore.h"

#include "scp/options.h"
#include "scp/nn.h"
#include "scp/views.h"
#include "scp/train.h"
#include "scp/contrast.h"
#include "scp/refine.h"
#include "scp/supervise.h"
#include "scp/active.h"
#include "scp/faces.h"
#include "scp/autoencode.h"
#include "scp/transfer.h"

#include "scp/cuda.h"

#endif
