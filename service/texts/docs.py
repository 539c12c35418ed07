"""Texts of the API reference and the demo."""

from __future__ import annotations

from service.language import Language

DOCS_TEXTS: dict[Language, dict[str, str]] = {
    "zh": {
        "demo_title": "搜索框示例",
        "demo_intro": "把下面两行代码放进任意网页，读者就能在那里检索本站收录的文献。",
        "demo_inline": "嵌在页面中",
        "demo_modal": "按 Ctrl K、⌘K 或 / 打开",
        "docs_title": "接口文档",
        "docs_intro": "所有接口都返回 JSON；出错时返回 RFC 9457 格式的 application/problem+json。机器可读的完整描述见",
        "docs_open": "公开",
        "docs_read": "读取权限",
        "docs_write": "写入权限",
        "docs_parameters": "参数",
        "docs_body": "请求正文",
        "docs_list_too": "也可以是由它组成的列表",
        "docs_answers": "响应",
        "docs_example": "示例",
        "docs_name": "名称",
        "docs_type": "类型",
        "docs_meaning": "含义",
        "docs_required": "必填",
        "docs_default": "默认",
        "docs_schemas": "数据结构",
        "docs_problems": "错误种类",
        "docs_problems_intro": "每个错误都有 type、title、status、detail 与 instance；输入有误时另有 errors 逐项说明。",
        "docs_contents": "目录",
    },
    "en": {
        "demo_title": "The search box",
        "demo_intro": "Put these two lines into any page, and its readers can search this archive there.",
        "demo_inline": "Within a page",
        "demo_modal": "Opened by Ctrl K, ⌘K or /",
        "docs_title": "API reference",
        "docs_intro": "Every call answers in JSON; failures are application/problem+json as in RFC 9457. "
        "The complete machine-readable description is at",
        "docs_open": "open",
        "docs_read": "needs the right to read",
        "docs_write": "needs the right to write",
        "docs_parameters": "Parameters",
        "docs_body": "Request body",
        "docs_list_too": "or a list of these",
        "docs_answers": "Answers",
        "docs_example": "Example",
        "docs_name": "Name",
        "docs_type": "Type",
        "docs_meaning": "Meaning",
        "docs_required": "required",
        "docs_default": "default",
        "docs_schemas": "Data",
        "docs_problems": "Problems",
        "docs_problems_intro": "Every problem has type, title, status, detail and instance; unusable input also has "
        "errors, one entry for each field.",
        "docs_contents": "Contents",
    },
}
