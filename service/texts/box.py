"""Texts of the search box for other sites; they reach it as ``/static/search-box-texts.js``."""

from __future__ import annotations

from service.language import Language

BOX_TEXTS: dict[Language, dict[str, str]] = {
    "zh": {
        "label": "搜索文献",
        "placeholder": "搜索",
        "results": "搜索结果",
        "better": "您要找的是不是：",
        "none": "没有找到能回答「{query}」的段落",
        "found": "找到 {count} 段，可用上下方向键选择",
        "weak": "没有找到明确的答案，以下是意思最接近的段落",
        "busy": "服务一时忙不过来，请稍后再试",
        "key": "这个搜索框没有可用的密钥，请告知网站管理员",
        "failed": "搜索出了点问题，请换一种说法再试",
        "offline": "连不上搜索服务，请检查网络",
    },
    "en": {
        "label": "Search the archive",
        "placeholder": "Search",
        "results": "Search results",
        "better": "Did you mean:",
        "none": "No passage answers “{query}”",
        "found": "Passages found: {count}; choose with the arrow keys",
        "weak": "No clear answer was found; these are the nearest passages",
        "busy": "The service is busy: try again in a moment",
        "key": "This search box has no usable key: tell whoever runs the site",
        "failed": "The search went wrong: try other words",
        "offline": "The search service cannot be reached: check the network",
    },
}
