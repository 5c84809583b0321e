package site

// The mails as they are unless somebody changes them. What stands on a line of its own after four spaces is made large, or a
// button, in the HTML part.

const codeText = `Your code for {federation} is

    {code}

It is valid for 30 minutes. Enter it on the page where you asked (request {request}), or open

    {link}

and press the button there. If you did not ask for this, do nothing.
`

const invitedText = `{by} invites you to take part in {federation}.

{about}

{next} Your data stays there.

    {link}

The link is for this address alone, once, until {until}. If you do not want to take part, do nothing.
`

const approvedText = `Your request {request} to join {federation} is approved.
Partition {partition} of {total} is yours.

What is left is to connect the machine that holds the data. It needs Python 3.11 or newer and outgoing HTTPS. Your page shows what to paste there:

    {link}

Or paste this. It downloads the program from this server, checks its SHA-256 and shows a code that you enter on your page. If the SHA-256 does not match, the server was updated since: take the commands from your page.

{commands}
`

const rejectedText = `Your request {request} to join {federation} was not accepted this time.

Reason: {reason}

You can ask again: {link}
`

const revokedText = `Your access to {federation} (partition {partition}, request {request}) has ended.

Reason: {reason}

Your SuperNode is stopped and its key is refused from now on. To come back you ask again and make a new key.
`

const suspendedText = `A manager of {federation} has suspended your SuperNode (partition {partition}).

Reason: {reason}

It waits and goes on by itself as soon as it is resumed; your partition is kept. You need not do anything.
`

const waitingText = `These people wait for an answer in {federation}:

{names}

Review them here:

    {link}

You get at most one such mail in 15 minutes.
`

const signInText = `Open this link and press the button there to sign in to {site}:

    {link}

It works once, for 30 minutes. If you did not ask for it, do nothing.
`

const appWaitsText = `A run in {federation} asked your machine to run {app}. Your agent has not run it: you decide first.

On that machine, see what it does and what changed:

    blossomtune apps

Then let exactly this version run, or keep it from running:

    blossomtune apps approve {hash}
    blossomtune apps reject {hash}

Until then its messages are answered with an error. Your status page: {link}
`

const connectText = `You were approved for {federation} on {since}, and partition {partition} is reserved for you. Your machine has not connected yet.

Your page shows the command to run there, and what to do if it does not work:

    {link}

If you no longer want to take part, tell the managers of {federation}, so that they can give the partition to someone else.
`

const noticeText = `{text}

Choose what is mailed to you: {preferences}
`

const noticeSample = `The run digits-14 in Cardio failed.

App: blossomtune/quickstart-digits 1.2.0
Rounds: 2 of 10
Participants: 3 of 4 contributed: partition 0, partition 1, partition 3.

What happened: The ServerApp raised KeyError: 'lr'.
What to do: Add lr to the run config, then run it again.

    https://fl.example.org/f/cardio/runs/digits-14`
