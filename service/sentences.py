"""The service's own error sentences, each in English and Chinese.

Texts of the pages are in texts/; what the library says is in its own exceptions.
"""

from __future__ import annotations

PROBLEM_TITLES: dict[str, tuple[str, str]] = {
    "bad-request": ("The request cannot be understood", "请求无法理解"),
    "invalid-input": ("Some of the input cannot be used", "部分输入无法使用"),
    "unauthorized": ("A key is needed", "需要密钥"),
    "forbidden": ("Not allowed", "不允许"),
    "not-found": ("Not found", "没有找到"),
    "method-not-allowed": ("Method not allowed", "不支持这种请求方法"),
    "data-unusable": ("The index cannot be used as asked", "索引暂不可用"),
    "too-often": ("Too many requests", "请求过于频繁"),
    "too-large": ("The request is too large", "请求过大"),
    "unsupported-media-type": ("Unsupported media type", "不支持的内容类型"),
    "internal-error": ("Something went wrong here", "服务出错"),
    "unavailable": ("Not available at the moment", "暂时不可用"),
    "no-storage": ("Nothing can be stored at the moment", "暂时无法存储"),
}

STATUS_SENTENCES: dict[int, tuple[str, str]] = {
    400: (
        "The request could not be read: check its address, headers and body against /docs.",
        "请求无法解析：请对照 /docs 检查地址、请求头和正文。",
    ),
    404: (
        "There is nothing at this address: /docs lists what the service offers.",
        "这个地址没有内容：服务提供的接口见 /docs。",
    ),
    405: (
        "This address does not support the request's method: use one of those in the Allow header.",
        "这个地址不支持该请求方法：可用的方法见 Allow 响应头。",
    ),
    413: (
        "The request's body is larger than this service accepts: send it in smaller parts.",
        "请求正文超过服务允许的大小：请分成几次发送。",
    ),
    500: (
        "Something unexpected happened here, not on your side: report the request id {id} to whoever runs the service.",
        "服务内部发生了意外错误，并非您的请求有误：请将请求编号 {id} 告知服务管理员。",
    ),
}

INVALID_INPUT = (
    "Some fields cannot be used, see errors: {first}",
    "有字段无法使用，详见 errors：{first}",
)
QUERY_STRING_NOT_UTF8 = (
    "The query string is not UTF-8 text: percent-encode its values as UTF-8.",
    "地址中的参数不是 UTF-8 文本：请按 UTF-8 进行百分号编码。",
)
TOO_MANY_PARAMETERS = (
    "The address has more than {most} parameters: send fewer of them.",
    "地址中的参数超过 {most} 个：请减少参数。",
)
CODING_UNKNOWN = (
    "The body is coded in a way this service does not understand: send it with Content-Length, or with "
    "Transfer-Encoding: chunked and no other coding.",
    "请求正文使用了本服务不支持的传输编码：请使用 Content-Length，或仅使用 Transfer-Encoding: chunked 发送。",
)
BODY_NOT_JSON_TYPE = (
    "The body must be JSON: send it with Content-Type: application/json.",
    "请求正文必须是 JSON：请使用 Content-Type: application/json 发送。",
)
BODY_EMPTY = (
    "The body is empty: send a JSON object as /docs describes.",
    "请求正文为空：请按 /docs 的说明发送 JSON。",
)
BODY_NOT_UTF8 = (
    "The body is not UTF-8 text: encode the JSON as UTF-8.",
    "请求正文不是 UTF-8 文本：请用 UTF-8 编码 JSON。",
)
BODY_NOT_JSON = (
    "The body is not valid JSON near line {line}, column {column}: check its quotes, commas and brackets.",
    "请求正文在第 {line} 行第 {column} 列附近不是有效的 JSON：请检查引号、逗号和括号。",
)
BODY_NO_NUMBER = (
    "The body holds {name}, which JSON does not have: send a finite number or null, or leave the field out.",
    "请求正文含有 {name}，JSON 中没有这种值：请改为有限的数字或 null，或删去该字段。",
)
BODY_TOO_DEEP = (
    "The JSON is nested too deeply or holds an endless number: send it as /docs describes.",
    "JSON 嵌套过深或数字过长：请按 /docs 的说明发送。",
)
HOST_REFUSED = (
    "This service does not answer to the host name {host}: use a loopback address, "
    "or list the name in XUNZHANG_ALLOWED_HOSTS.",
    "本服务不接受主机名 {host}：请使用本机回环地址，或将该名称加入 XUNZHANG_ALLOWED_HOSTS。",
)
ORIGIN_REFUSED = (
    "A page of {origin} may not write here: make an admin key and send it with the request.",
    "{origin} 的网页不能在此写入：请创建管理密钥，并随请求发送。",
)
NOTHING_READ = (
    "Nothing of what was sent could be read, see errors: {first}",
    "发送的内容都未能读取，详见 errors：{first}",
)
KEY_NEEDED = (
    "This needs a key with the scope {scope}: send the header Authorization: Bearer KEY; "
    "keys are made with python -m scripts.manage keys create.",
    "此操作需要权限为 {scope} 的密钥：请发送请求头 Authorization: Bearer KEY；"
    "密钥可用 python -m scripts.manage keys create 创建。",
)
KEY_UNKNOWN = (
    "The key sent is not known here, or was revoked: check it, or ask whoever runs the service for another.",
    "所用密钥无效或已被撤销：请核对，或向服务管理员索取新的密钥。",
)
TOO_OFTEN = (
    "Too many requests came from here: try again in {seconds} s.",
    "来自此处的请求过于频繁：请在 {seconds} 秒后再试。",
)
TOO_LATE = (
    "This took longer than {seconds:g} s and was left unfinished: ask for less at once, or try again in a moment.",
    "处理超过 {seconds:g} 秒，已中止：请减少一次请求的内容，或稍后再试。",
)
SCOPE_TOO_SMALL = (
    "This key may only read: writing needs a key with the scope admin.",
    "此密钥只能读取：写入需要权限为 admin 的密钥。",
)
KEYLESS_ADDRESS = (
    "Listening on {host} would open the service to other machines, and no key exists yet: run "
    "python -m scripts.manage keys --data {data} create --scope admin first, or listen on 127.0.0.1.",
    "监听 {host} 会让其他机器也能访问，而现在还没有任何密钥：请先运行 "
    "python -m scripts.manage keys --data {data} create --scope admin，或改为监听 127.0.0.1。",
)
PORT_TAKEN = (
    "Port {port} on {host} is already in use: stop the other program, or choose another port with --port.",
    "{host} 的端口 {port} 已被占用：请停止占用它的程序，或用 --port 换一个端口。",
)
ADDRESS_UNUSABLE = (
    "The service cannot listen on {host}:{port} ({reason}): choose another --host or --port.",
    "服务无法监听 {host}:{port}（{reason}）：请更换 --host 或 --port。",
)
NO_SUCH_DOCUMENT = (
    "There is no document {id}: list the documents with GET /api/v1/documents.",
    "没有编号为 {id} 的文档：可用 GET /api/v1/documents 查看已有文档。",
)
NO_SUCH_JOB = (
    "There is no job {id}: it was forgotten, or never sent; list the jobs with GET /api/v1/jobs.",
    "没有编号为 {id} 的任务：记录已删除，或从未提交；可用 GET /api/v1/jobs 查看任务。",
)
NO_ROOM = (
    "What was sent cannot be stored: {reason}; nothing of it was kept. "
    "Whoever runs the service should look at its disk.",
    "发送的内容无法存下：{reason}；没有保留任何部分。请服务管理员检查磁盘。",
)
JOBS_UNREADABLE = (
    "Jobs cannot be read: {reason}. Whoever runs the service should look at the folder jobs in its data directory, "
    "which belongs to the user that runs it.",
    "无法读取任务：{reason}。请服务管理员检查数据目录中的 jobs 文件夹，它应归运行服务的用户所有。",
)
NO_SUCH_PASSAGE = (
    "There is no passage {id}: use a passage_id from a search answer.",
    "没有编号为 {id} 的段落：请使用搜索结果中的 passage_id。",
)
NOT_READY = (
    "The service cannot answer searches yet: {reason}",
    "服务还不能回答搜索：{reason}",
)
