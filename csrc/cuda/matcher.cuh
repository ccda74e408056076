/* What a matcher holds between calls. */
#ifndef SCP_CUDA_MATCHER_CUH
#define SCP_CUDA_MATCHER_CUH

#include "similarity.cuh"

/* What one image needs while it is searched. */
struct image_buffers {
    cudaStream_t stream = nullptr;
    bool busy = false;
    size_t image = 0;
    scp_array<float> features, norms, bounds, per_level, value;
    scp_array<int32_t> index;
    scp_array<uint4> cells;
    scp_array<uint32_t> flag;
    scp_array<float> host_features, host_norms, host_value; /* pinned */
    scp_array<int32_t> host_index;
    scp_array<uint32_t> host_flag;
};

struct scp_cuda_matcher {
    int device;
    struct scp_grid grid;
    scp_match_shape shape;
    const float *queries, *query_norms;
    size_t n_queries, tile, first; /* first: of the tile on the device; n_queries: none */
    size_t cells;                  /* of a pyramid */
    bool bilinear;
    scp_array<scp_slot> slots;
    scp_array<float> device_queries, device_norms;
    scp_array<uint4> fragments;
    scp_array<uint32_t> flag;
    struct image_buffers buffers[2];
};

#endif
