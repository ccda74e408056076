/* Similarity on the device: the layouts and the kernels' launchers, in the order of the work.
 *
 * pack.cu    checks vectors; float32 to bfloat16 in the order in which the screen reads
 * screen.cu  tensor cores: an upper bound of the similarity of every query below every root
 * refine.cu  exact search of the roots whose bound reaches the best value
 * matcher.cu queries in tiles, images through two streams
 *
 * Roots are the cells of level 0, four of them (a quad) side by side. A group is 16 cells of one
 * level: the four children of one node in each of the four trees of a quad. Groups come in depth
 * first order, a node before its children: level 0; level 1; level 2, first child; ... so that the
 * products of all ancestors of a group are at hand when it is multiplied. Row 8 k + 2 t + j of a
 * group is child 2 k + j in tree t: a thread of the tensor core product (lane % 4 == t) then holds
 * all four children of its own tree and needs nothing from other lanes. At level 0 the four
 * children are the root itself, four times. */
#ifndef SCP_CUDA_SIMILARITY_CUH
#define SCP_CUDA_SIMILARITY_CUH

#include "plugin.cuh"

#define SCP_MATCH_THREADS 128u
#define SCP_STAGE16 512u /* vectors of 16 bytes that one stage of the pipeline holds */
#define SCP_STAGES 4u

struct scp_match_shape {
    uint32_t levels, channels, padded; /* padded: channels of the bfloat16 copies */
    uint32_t height, width;            /* of level 0 */
    uint32_t roots, quads, groups;     /* groups: of a quad */
    uint32_t queries, tiles;           /* tiles of 16 queries */
    float epsilon, slack;
    float max_norms[SCP_MATCH_MAX_LEVELS]; /* of all queries */
};

/* Where a row of a group lies: level, row and column below its root, tree of the quad. */
struct scp_slot {
    uint8_t level, y, x, tree;
};

/* Position of 16-byte chunk `chunk` of a row among the chunks of its row: rows that are read
 * together (8 of a tile) lie in different banks of the shared memory. */
template <int CHUNKS>
static __host__ __device__ __forceinline__ unsigned scp_swizzle(unsigned row, unsigned chunk) {
    return CHUNKS == 4 ? chunk ^ (row >> 1 & 3) : chunk ^ (row & 7);
}

/* flag[0] becomes 1 when a vector is longer than a unit vector or a norm is not finite. */
enum scp_status scp_launch_check(uint32_t *flag, const float *vectors, const float *norms,
                                 size_t count, uint32_t channels, cudaStream_t stream);
/* fragments[tiles][levels][padded / 16][32 lanes]: what a lane holds of a tile of 16 queries. */
enum scp_status scp_launch_pack_queries(uint4 *fragments, const float *queries,
                                        const scp_match_shape &shape, cudaStream_t stream);
/* cells[quads][groups][16][padded / 8]: vectors times n / (n + epsilon), n with the largest norm of
 * a query, chunks swizzled. */
enum scp_status scp_launch_pack_cells(uint4 *cells, const float *features, const float *norms,
                                      const scp_slot *slots, const scp_match_shape &shape,
                                      cudaStream_t stream);
/* Bytes of shared memory that the screen needs. */
size_t scp_screen_shared(const scp_match_shape &shape, bool per_level);
/* bounds[queries][quads * 4]: at least the similarity of any cell of the root; or, per level,
 * bounds[queries][levels][quads * 4]: at least the similarity of any cell at that level. */
enum scp_status scp_launch_screen(float *bounds, const uint4 *fragments, const uint4 *cells,
                                  const scp_match_shape &shape, bool per_level,
                                  cudaStream_t stream);
/* Bounds of bilinear mode: the product over levels of the largest of the 3 x 3 roots. */
enum scp_status scp_launch_spread(float *bounds, const float *per_level,
                                  const scp_match_shape &shape, cudaStream_t stream);

/* What an exact similarity is computed from: one image and the tile's queries, on the device. */
struct scp_exact_inputs {
    const float *features, *norms;
    const float *queries, *query_norms;
};
enum scp_status scp_launch_refine(float *value, int32_t *index, const float *bounds,
                                  const scp_exact_inputs &inputs, const scp_match_shape &shape,
                                  bool bilinear, cudaStream_t stream);

#endif
