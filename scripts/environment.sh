# shellcheck shell=sh
# The project's own Python environment, .venv: made, kept true to the requirements, found again in milliseconds.
#
# Sourced by scripts/serve and scripts/test, which set $root first and then call `prepare` with serve, milvus, e5 or test.
# Plain POSIX sh. Everything it writes is inside .venv, so removing that folder undoes it all:
#
#   .venv/.installed-serve   what serve needs, as it was installed: the Python version and the requirements
#   .venv/.installed-milvus  what serve needs with the Milvus engine, in the same way
#   .venv/.installed-e5      the same with the model e5-small
#   .venv/.installed-test    the same for the tests, which need all of it
#   .venv/.incomplete        there while something is being installed; found later, it tells of an interruption
#   .venv/.lock              held by the one process that installs; the kernel lets go of it, however that one ends
#
# Settings, all optional:
#
#   PYTHON              the Python to make .venv with; otherwise the first of python3.13, 3.12, 3.11 and python3 that fits
#   XUNZHANG_PIP_ARGS   more words for `pip install`, such as "--no-cache-dir --retries 20"
#   PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_CERT, HTTPS_PROXY ...   are pip's own and reach it untouched
#
# On Linux the torch of PyPI brings gigabytes of CUDA. A machine without a GPU is better served by the CPU build:
#
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu scripts/serve

venv=${root:?}/.venv

# How an installation can end, besides well (0) and in a way we have no sentence for (1).
disk_full=3 index_unreachable=4 version_missing=5

say() {
    printf '%s\n' "$*" >&2
}

# fail ENGLISH CHINESE: ends with one sentence, in both languages.
fail() {
    printf '\n%s\n%s\n' "$1" "$2" >&2
    exit 2
}

# wanted KIND: what .installed-KIND says when everything KIND needs is there.
wanted() {
    "$venv/bin/python" -V || return
    cat "$root/requirements.txt" || return
    case $1 in milvus | test) cat "$root/requirements-milvus.txt" || return ;; esac
    case $1 in e5 | test) cat "$root/requirements-e5.txt" || return ;; esac
    [ "$1" != test ] || cat "$root/requirements-dev.txt"
}

# current KIND: true when nothing is to be done. Costs a few milliseconds: Python itself is not started, -V apart.
current() {
    [ -f "$venv/.installed-$1" ] && [ ! -e "$venv/.incomplete" ] || return 1
    if [ -n "${PYTHON-}" ] && [ "$("$PYTHON" -V 2>&1)" != "$("$venv/bin/python" -V 2>&1)" ]; then
        return 1
    fi
    wanted "$1" 2>/dev/null | cmp -s - "$venv/.installed-$1"
}

# prepare KIND: makes .venv hold what KIND needs, and returns at once when it does already.
prepare() {
    unset PYTHONHOME PYTHONPATH # they would mix another installation into ours
    ! current "$1" || return 0
    find_python
    take_lock
    if ! current "$1"; then # the process we may have waited for did it for us
        install "$1"
    fi
    exec 9>&-
}

# find_python: sets $python and $version, or says what to install.
find_python() {
    found='' without_venv=''
    if [ -n "${PYTHON-}" ]; then
        set -- "$PYTHON"
    else
        set -- "$venv/bin/python" python3.13 python3.12 python3.11 python3 # the one chosen before, if it still runs
    fi
    for candidate; do
        version=$("$candidate" -V 2>&1) || continue # not there, or a version manager's empty shell
        version=${version#Python }
        case $version in
            3.1[1-9]* | 3.[2-9][0-9]*) ;;
            *)
                found="${found:+$found, }$candidate $version"
                continue
                ;;
        esac
        # Not the Python of some activated environment, which may be the very one to be remade, but the one beneath.
        if python=$("$candidate" -c 'import ensurepip, sys, venv; print(sys._base_executable)' 2>/dev/null); then
            return 0
        fi
        without_venv=$version
    done
    if [ -n "$without_venv" ]; then
        fail "Python $without_venv lacks its venv and ensurepip modules; install them (on Debian and Ubuntu: apt-get install python3-venv, or python${without_venv%.*}-venv) and run this again." \
            "Python $without_venv 缺少 venv 与 ensurepip 模块；请先安装（Debian、Ubuntu：apt-get install python3-venv 或 python${without_venv%.*}-venv），再运行一次。"
    elif [ -n "$found" ]; then
        fail "Xunzhang needs Python 3.11 or newer, but found only $found; install a newer one (on Debian and Ubuntu: apt-get install python3 python3-venv) or name it with PYTHON=/path/to/python3." \
            "寻章需要 Python 3.11 或更新的版本，但只找到 $found；请安装新版本（Debian、Ubuntu：apt-get install python3 python3-venv），或用 PYTHON=/路径/python3 指明。"
    elif [ -n "${PYTHON-}" ]; then
        fail "PYTHON=$PYTHON is not a Python that can be run; name one of version 3.11 or newer, or leave PYTHON unset." \
            "PYTHON=$PYTHON 不是可以运行的 Python；请指明 3.11 或更新的版本，或不设 PYTHON。"
    else
        fail "Xunzhang needs Python 3.11 or newer, and found none; install it (on Debian and Ubuntu: apt-get install python3 python3-venv) or name it with PYTHON=/path/to/python3." \
            "寻章需要 Python 3.11 或更新的版本，但没有找到 Python；请先安装（Debian、Ubuntu：apt-get install python3 python3-venv），或用 PYTHON=/路径/python3 指明。"
    fi
}

# take_lock: waits until no other process installs. The lock is on file descriptor 9, which pip inherits: it holds
# for as long as anything still writes to .venv, and not a moment longer.
take_lock() {
    if ! { mkdir -p "$venv" && (: >>"$venv/.lock"); } 2>/dev/null; then
        fail "$venv cannot be written; check the rights of the folder and the free space of its disk." \
            "无法写入 $venv；请检查文件夹的权限和磁盘的剩余空间。"
    fi
    exec 9>>"$venv/.lock"
    "$python" -c '
import fcntl, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print(sys.argv[1], file=sys.stderr, flush=True)
    fcntl.flock(0, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks
' "Waiting for another installation in $venv to end · 另一个安装正在进行，等待其结束 ..." <&9
}

# install KIND: called with the lock held.
install() {
    for installed in serve milvus e5 test; do
        current "$installed" || rm -f "$venv/.installed-$installed"
    done
    if [ -e "$venv/.incomplete" ] || ! pip=$(usable_pip); then
        make_venv
        pip=$(usable_pip) || explain 1
    fi
    : >"$venv/.incomplete"

    case $1 in
        serve) requirements=$root/requirements.txt ;;
        milvus | e5) requirements=$root/requirements-$1.txt ;;
        *) requirements=$root/requirements-dev.txt ;;
    esac
    say "Installing ${requirements##*/}; the first time takes some minutes · 正在安装所需软件，首次需要几分钟 ..."
    progress=off
    case $pip in [01].* | 2[0-3].* | 24.0*) ;; *) progress=raw ;; esac # raw: since pip 24.1
    # shellcheck disable=SC2086  # XUNZHANG_PIP_ARGS is a list of words
    watch env PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 \
        "$venv/bin/python" -m pip install --progress-bar "$progress" -r "$requirements" ${XUNZHANG_PIP_ARGS-}

    rm -f "$venv/.incomplete"
    write_stamp serve
    case $1 in milvus | test) write_stamp milvus ;; esac
    case $1 in e5 | test) write_stamp e5 ;; esac
    [ "$1" != test ] || write_stamp test
    say "Installed · 安装完毕"
}

# usable_pip: prints the version of pip in .venv; fails when .venv is absent, broken or of another Python than asked.
usable_pip() {
    if [ -n "${PYTHON-}" ] && [ "$("$PYTHON" -V 2>&1)" != "$("$venv/bin/python" -V 2>&1)" ]; then
        return 1
    fi
    "$venv/bin/python" -c 'import pip, sys; print(pip.__version__); sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_venv() {
    : >"$venv/.incomplete"
    say "Making .venv with Python $version · 正在用 Python $version 建立运行环境 ..."
    for entry in "$venv"/* "$venv"/.[!.]*; do
        case ${entry##*/} in .lock | .incomplete) ;; *) rm -rf "$entry" ;; esac
    done
    watch "$python" -m venv "$venv"
}

write_stamp() {
    if ! { wanted "$1" >"$venv/.stamp" && mv "$venv/.stamp" "$venv/.installed-$1"; }; then
        explain "$disk_full"
    fi
}

# watch COMMAND...: runs it and shows its progress; when it fails, says why and ends.
watch() {
    {
        status=0
        "$@" 2>&1 || status=$?
        echo "exit status $status"
    } | show_progress || explain $?
}

# show_progress: of pip's output, the lines a person wants to see, and every error. Fails with the reason it recognises.
show_progress() {
    reason=1 gpu_told='' retry_told='' bar=''
    while IFS= read -r line; do
        case $line in
            "Progress "*" of "*)
                [ -t 2 ] || continue
                done_bytes=${line#Progress } all_bytes=${line##* of }
                done_bytes=${done_bytes%% *}
                [ "$all_bytes" -gt 0 ] || continue
                printf '\r    %d %%' "$((done_bytes * 100 / all_bytes))" >&2
                bar=shown
                continue
                ;;
        esac
        [ -z "$bar" ] || printf '\r\033[K' >&2
        bar=''
        case $line in
            "exit status 0") return 0 ;;
            "exit status "*) return "$reason" ;;
            *"No space left on device"* | *"Disk quota exceeded"*) reason=$disk_full ;;
            *"Retrying (Retry("* | *"Max retries exceeded"* | *"Read timed out"* | *"Could not fetch URL"* | \
                *ConnectionError* | *ProxyError* | *"connection timed out"* | *IncompleteRead*)
                [ "$reason" = "$disk_full" ] || reason=$index_unreachable
                ;;
            *"No matching distribution found"*) [ "$reason" != 1 ] || reason=$version_missing ;;
        esac
        case $line in
            '' | Collecting* | "Requirement already satisfied"* | "Looking in "* | Processing\ * | *.metadata* | \
                *"Using cached "* | *"Preparing metadata"* | *"Getting requirements to build"* | \
                *"Installing build dependencies"* | *"Attempting uninstall"* | *"Found existing installation"* | \
                *"Uninstalling "* | *"Successfully uninstalled"* | "Successfully installed"* | \
                *"Obtaining dependency information"* | *"is ignored: it is neither a file nor a directory"*) ;;
            *"Retrying (Retry("*)
                [ -n "$retry_told" ] || say "  $line"
                retry_told=yes
                ;;
            *"Downloading nvidia_"*)
                say "  ${line#"${line%%[! ]*}"}"
                [ -n "$gpu_told" ] || say "  (These are torch's gigabytes for NVIDIA GPUs. Without one, stop with Ctrl-C and run this again with
   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu · 这些是 GPU 所需的大文件；没有 GPU 时可按 Ctrl-C 停止，设此变量后重来。)"
                gpu_told=yes
                ;;
            *Downloading\ *) say "  ${line#"${line%%[! ]*}"}" ;;
            "Installing collected packages"*) say "  Putting the packages in place · 正在写入 ..." ;;
            *) say "  $line" ;;
        esac
    done
    return 1
}

# explain REASON: one sentence on why the installation failed; what the program itself said stands above it.
explain() {
    case $1 in
        "$disk_full")
            fail "The disk of $venv or of the temporary folder is full; free some space (the packages need about 2 GB) and run this again." \
                "$venv 或临时文件夹所在的磁盘已满；请腾出空间（软件包约需 2 GB），再运行一次。"
            ;;
        "$index_unreachable")
            rm -f "$venv/.incomplete" # pip fetches everything before it touches anything
            fail "pip could not reach the package index; check the network or proxy, or name a mirror with PIP_INDEX_URL (for instance PIP_INDEX_URL=https://pypi.tuna.tsinghua.edu.cn/simple), and run this again." \
                "pip 连不上软件包索引；请检查网络或代理，或用 PIP_INDEX_URL 指定镜像（例如 PIP_INDEX_URL=https://pypi.tuna.tsinghua.edu.cn/simple），再运行一次。"
            ;;
        "$version_missing")
            rm -f "$venv/.incomplete"
            fail "The package index has no fitting release of a package named above for $("$venv/bin/python" -V); try another mirror with PIP_INDEX_URL or another Python with PYTHON=/path/to/python3." \
                "软件包索引中没有上述软件包适合 $("$venv/bin/python" -V) 的版本；请用 PIP_INDEX_URL 换一个镜像，或用 PYTHON=/路径/python3 换一个 Python。"
            ;;
        *)
            fail "The installation in $venv failed for the reason shown above; mend it and run this again." \
                "$venv 中的安装失败，原因见上；解决后再运行一次。"
            ;;
    esac
}
